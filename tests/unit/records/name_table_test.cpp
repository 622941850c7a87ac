#include "records/name_table.h"

#include "dns/name.h"
#include "records/nodes.h"
#include "records/owner_name.h"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace waypost::records {
namespace {

std::uint64_t hash_of(const Entry& entry, const void*) {
  return dns::hash_name(owner_of(entry, {}).wire());
}

void tell_hash(const Entry& entry, const void*, const NameTable::Tell& tell) {
  tell(hash_of(entry, nullptr), entry);
}

// Fixed nodes named 0, 1, 2…
struct Nodes {
  std::vector<std::unique_ptr<FixedNode>> all;

  explicit Nodes(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const OwnerName name = OwnerName().label(std::to_string(i)).append(as_bytes({"\0", 1}));
      all.push_back(std::make_unique<FixedNode>(
          FixedNode{FixedNode::Which::Apex, std::string(as_text(name.wire()))}));
    }
  }
  Entry entry(std::size_t i) const { return {NodeKind::Fixed, all[i].get()}; }
  std::uint64_t hash(std::size_t i) const { return hash_of(entry(i), nullptr); }
  bool is_in(const NameTable& table, std::size_t i) const {
    return table.find(hash(i), [&](const Entry& e) { return e == entry(i); }).kind !=
           NodeKind::None;
  }
};

}  // namespace

TEST_CASE("a table finds what was put in and nothing that was taken out, through growth") {
  rcu::RetireList retired;
  NameTable table(retired, tell_hash, nullptr);
  const Nodes nodes(20'000);
  for (std::size_t i = 0; i < nodes.all.size(); ++i) {
    table.insert(nodes.hash(i), nodes.entry(i));
  }
  CHECK(table.size() == nodes.all.size());
  for (std::size_t i = 0; i < nodes.all.size(); i += 2) {
    table.remove(nodes.hash(i), nodes.entry(i));
  }
  CHECK(table.size() == nodes.all.size() / 2);
  for (std::size_t i = 0; i < nodes.all.size(); ++i) {
    REQUIRE(nodes.is_in(table, i) == (i % 2 == 1));
  }
}

TEST_CASE("a table under steady churn stays as large as its content asks for") {
  rcu::RetireList retired;
  NameTable table(retired, tell_hash, nullptr);
  const Nodes nodes(2'000);
  const auto put = [&](std::size_t i) { table.insert(nodes.hash(i), nodes.entry(i)); };
  for (std::size_t i = 0; i < 1'000; ++i) {
    put(i);
  }
  const std::size_t capacity = table.capacity();
  for (std::size_t i = 0; i < 100'000; ++i) {
    table.remove(nodes.hash(i % 2'000), nodes.entry(i % 2'000));
    put((i + 1'000) % 2'000);
  }
  CHECK(table.size() == 1'000);
  CHECK(table.capacity() <= capacity * 2);
  CHECK(retired.waiting_bytes() <= (std::size_t{1} << 20) + capacity * 16);
}

TEST_CASE("a replaced entry is never missing") {
  rcu::RetireList retired;
  NameTable table(retired, tell_hash, nullptr);
  const Nodes nodes(3'000);
  const auto other =
      std::make_unique<FixedNode>(*nodes.all[0]);  // Nodes are aligned as new aligns.
  const Entry first = nodes.entry(0);
  const Entry second{NodeKind::Fixed, other.get()};
  table.insert(nodes.hash(0), first);

  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> looks{0};
  std::atomic<std::uint64_t> misses{0};
  std::thread reader([&] {
    const rcu::ReaderThread registered;
    while (!stop.load()) {
      const rcu::ReadSection section;
      const Entry found =
          table.find(nodes.hash(0), [&](const Entry& e) { return e == first || e == second; });
      misses += found.kind == NodeKind::None ? 1 : 0;
      ++looks;
    }
  });
  // The table grows several times meanwhile.
  for (std::size_t i = 1; i < nodes.all.size() || looks.load() < 1'000; ++i) {
    if (i < nodes.all.size()) {
      table.insert(nodes.hash(i), nodes.entry(i));
    }
    table.replace(nodes.hash(0), i % 2 == 1 ? first : second, i % 2 == 1 ? second : first);
  }
  stop = true;
  reader.join();
  CHECK(misses.load() == 0);
}

}  // namespace waypost::records
