#include "policy/client_buckets.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <thread>

namespace waypost::policy {
namespace {

using Verdict = ClientBuckets::Verdict;
constexpr std::uint64_t Second = 1'000'000;

IpAddress address(const std::string& text) {
  return *IpAddress::from_text(text);
}

// How many of `count` queries at `now` are granted.
int ask(ClientBuckets& buckets, const std::string& client, int count, std::uint64_t now) {
  int granted = 0;
  for (int i = 0; i < count; ++i) {
    granted += buckets.take(address(client), now) != Verdict::Denied ? 1 : 0;
  }
  return granted;
}

TEST_CASE("a client may ask a burst at once and then so many in a second") {
  ClientBuckets buckets({.rate = 10, .burst = 20}, 1);
  std::uint64_t now = 1000 * Second;
  CHECK(ask(buckets, "10.0.0.1", 50, now) == 20);
  now += Second / 2;
  CHECK(ask(buckets, "10.0.0.1", 50, now) == 5);
  now += Second / 20;
  CHECK(ask(buckets, "10.0.0.1", 50, now) == 0);
  now += Second / 20;
  CHECK(ask(buckets, "10.0.0.1", 50, now) == 1);
  // No more than a burst is saved up.
  now += 100 * Second;
  CHECK(ask(buckets, "10.0.0.1", 50, now) == 20);
  CHECK(ask(buckets, "10.0.0.2", 50, now) == 20);
}

TEST_CASE("addresses that agree in the prefix are one client") {
  ClientBuckets each({.rate = 1, .burst = 3}, 1);
  CHECK(ask(each, "10.0.0.1", 3, Second) == 3);
  CHECK(ask(each, "10.0.0.2", 3, Second) == 3);
  CHECK(ask(each, "2001:db8::1", 3, Second) == 3);
  CHECK(ask(each, "2001:db8::2", 3, Second) == 3);
  ClientBuckets together({.rate = 1, .burst = 3, .prefix_v4 = 24, .prefix_v6 = 56}, 1);
  CHECK(ask(together, "10.0.0.1", 3, Second) == 3);
  CHECK(ask(together, "10.0.0.255", 3, Second) == 0);
  CHECK(ask(together, "10.0.1.1", 3, Second) == 3);
  CHECK(ask(together, "2001:db8:0:1::1", 3, Second) == 3);
  CHECK(ask(together, "2001:db8:0:2::1", 3, Second) == 0);
  CHECK(ask(together, "2001:db8:0:100::1", 3, Second) == 3);
}

TEST_CASE("a clock that begins again does not shut a client out") {
  ClientBuckets buckets({.rate = 1, .burst = 2}, 1);
  const std::uint64_t round = std::uint64_t{1} << 40U;
  CHECK(ask(buckets, "10.0.0.1", 9, round - Second / 2) == 2);  // Full again in the next round.
  CHECK(ask(buckets, "10.0.0.1", 9, round + Second / 2) == 1);
  // Half a round later, what was full then looks as if it lay ahead.
  CHECK(ask(buckets, "10.0.0.1", 9, round + (round / 2) + 5 * Second) == 2);
}

TEST_CASE("the table stays as large as it is: clients that were quiet make room first") {
  ClientBuckets buckets({.rate = 1, .burst = 1, .clients = 64}, 7);
  int evicted = 0;
  for (int i = 0; i < 64; ++i) {
    evicted += buckets.take(address("10.0.0." + std::to_string(i)), Second) == Verdict::Evicted;
  }
  CHECK(evicted < 32);  // Sets do not fill alike.
  for (int i = 0; i < 1000; ++i) {
    const auto client = address("10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250));
    evicted += buckets.take(client, Second) == Verdict::Evicted;
  }
  CHECK(evicted >= 1000 - 64);
  // Full buckets are nobody's loss.
  int later = 0;
  for (int i = 0; i < 8; ++i) {
    later += buckets.take(address("10.2.0." + std::to_string(i)), 100 * Second) == Verdict::Evicted;
  }
  CHECK(later == 0);
}

TEST_CASE("threads that take at the same time get no more than there is") {
  ClientBuckets buckets({.rate = 1, .burst = 1000}, 7);
  std::atomic<int> granted{0};
  const auto take = [&] { granted += ask(buckets, "10.0.0.1", 2000, Second); };
  std::thread other(take);
  take();
  other.join();
  // A query may be let through when others change the bucket each time that it looks.
  CHECK(granted >= 1000);
  CHECK(granted <= 1100);
}

}  // namespace
}  // namespace waypost::policy
