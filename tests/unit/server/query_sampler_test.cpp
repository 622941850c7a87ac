#include "server/query_sampler.h"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace waypost::server {
namespace {

const IpAddress Client = IpAddress::v4(10, 0, 0, 1);

// A query with `name` in wire form.
std::vector<std::uint8_t> query(std::string_view name) {
  std::vector<std::uint8_t> octets(dns::HeaderSize, 0);
  octets[5] = 1;
  octets.insert(octets.end(), name.begin(), name.end());
  octets.insert(octets.end(), {0, 1, 0, 1});
  return octets;
}

using namespace std::string_view_literals;
constexpr std::string_view Web = "\3wEB\4SHop\0"sv;

std::string name_of(Bytes request) {
  QuerySampler sampler(true, 1);
  sampler.take(request, Client);
  std::string name = "none";
  sampler.drain([&](const QuerySample& sample) {
    CHECK(sample.client == Client);
    name = std::string(as_text(sample.name()));
  });
  return name;
}

struct Second {
  std::uint64_t samples = 0;
  std::uint64_t weight = 0;
};

// So many queries, and what the reader finds behind them.
Second second_of(QuerySampler& sampler, std::uint64_t queries, Bytes request) {
  for (std::uint64_t i = 0; i < queries; ++i) {
    if (sampler.is_due()) {
      sampler.take(request, Client);
    }
  }
  Second second;
  sampler.drain([&](const QuerySample& sample) {
    ++second.samples;
    second.weight += sample.weight;
  });
  return second;
}

}  // namespace

TEST_CASE("a sample has the question's name in lower case") {
  CHECK(name_of(query(Web)) == "\3web\4shop\0"sv);
  CHECK(name_of(query("\0"sv)) == "\0"sv);
  const std::string label = "\77" + std::string(63, 'x');
  const std::string longest = label + label + label + "\75" + std::string(61, 'x') + '\0';
  REQUIRE(longest.size() == dns::MaxNameSize);
  CHECK(name_of(query(longest)) == longest);
}

TEST_CASE("a name that cannot be read is empty") {
  const std::vector<std::uint8_t> whole = query(Web);
  for (std::size_t size = 0; size < dns::HeaderSize + Web.size(); ++size) {
    CAPTURE(size);
    CHECK(name_of(Bytes(whole).first(size)).empty());
  }
  const std::string label = "\77" + std::string(63, 'x');
  CHECK(name_of(query(label + label + label + "\76" + std::string(62, 'x') + '\0')).empty());
  CHECK(name_of(query("\xc0\x0c"sv)).empty());
  CHECK(name_of(query("\100" + std::string(64, 'x') + '\0')).empty());
  std::vector<std::uint8_t> response = query(Web);
  response[2] = 0x80;
  CHECK(name_of(response).empty());
  std::vector<std::uint8_t> without_question = query(Web);
  without_question[5] = 0;
  CHECK(name_of(without_question).empty());
}

TEST_CASE("while queries are few, each of them is a sample of itself") {
  QuerySampler sampler(true, 1);
  const std::vector<std::uint8_t> request = query(Web);
  for (int i = 0; i < 20; ++i) {
    const Second second = second_of(sampler, 50, request);
    CHECK(second.samples == 50);
    CHECK(second.weight == 50);
  }
  CHECK(sampler.missed() == 0);
}

TEST_CASE("under load samples stay few, and stand for all queries") {
  for (const std::uint64_t load : {1'000U, 40'000U, 300'000U}) {
    CAPTURE(load);
    QuerySampler sampler(true, 7);
    const std::vector<std::uint8_t> request = query(Web);
    for (int i = 0; i < 15; ++i) {
      second_of(sampler, load, request);  // Finds out how much there is.
    }
    const std::uint64_t missed = sampler.missed();
    Second all;
    constexpr std::uint64_t Seconds = 40;
    for (std::uint64_t i = 0; i < Seconds; ++i) {
      const Second second = second_of(sampler, load, request);
      CHECK(second.samples < QuerySampler::Capacity);
      all.samples += second.samples;
      all.weight += second.weight;
    }
    CHECK(sampler.missed() == missed);
    CHECK(all.samples > Seconds * QuerySampler::Capacity / 8);
    CHECK(static_cast<double>(all.weight) ==
          doctest::Approx(static_cast<double>(Seconds * load)).epsilon(0.05));
    // And when it is over, every query counts again.
    for (int i = 0; i < 25; ++i) {
      second_of(sampler, 100, request);
    }
    CHECK(second_of(sampler, 20, request).samples == 20);
  }
}

TEST_CASE("after a burst it does not sleep through the few queries that follow") {
  QuerySampler sampler(true, 1);
  const std::vector<std::uint8_t> request = query(Web);
  second_of(sampler, 5'000'000, request);
  int seconds = 0;
  while (second_of(sampler, 100, request).samples != 100) {
    REQUIRE(++seconds < 30);
  }
}

TEST_CASE("what a burst has no room for is counted") {
  QuerySampler sampler(true, 1);
  const std::vector<std::uint8_t> request = query(Web);
  const Second second = second_of(sampler, 1'000'000, request);
  CHECK(second.samples == QuerySampler::Capacity);
  CHECK(sampler.missed() > 100'000);
  CHECK(static_cast<double>(second.weight + sampler.missed()) ==
        doctest::Approx(1'000'000).epsilon(0.6));
}

TEST_CASE("switched off, no query is due") {
  QuerySampler sampler(false, 1);
  for (int i = 0; i < 100'000; ++i) {
    REQUIRE(!sampler.is_due());
  }
  sampler.drain([](const QuerySample&) { FAIL("nothing was taken"); });
}

TEST_CASE("a reader beside the writer sees whole samples, each once") {
  QuerySampler sampler(true, 3);
  const std::vector<std::uint8_t> request = query(Web);
  std::atomic<bool> is_over{false};
  std::uint64_t taken = 0;
  std::thread writer([&] {
    for (int i = 0; i < 200'000; ++i) {
      if (sampler.is_due()) {
        sampler.take(request, Client);
        ++taken;
      }
    }
    is_over = true;
  });
  std::uint64_t seen = 0;
  std::uint64_t wrong = 0;
  const auto read = [&] {
    sampler.drain([&](const QuerySample& sample) {
      ++seen;
      wrong += as_text(sample.name()) == "\3web\4shop\0"sv && sample.client == Client ? 0 : 1;
    });
  };
  while (!is_over) {
    read();
  }
  writer.join();
  read();
  CHECK(wrong == 0);
  CHECK(seen > 0);
  CHECK(seen <= taken);
}

}  // namespace waypost::server
