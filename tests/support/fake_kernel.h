// A packet filter in memory that takes and prints what iptables-restore --noflush and iptables-save
// do, refuses what both backends refuse, and fails on demand.

#pragma once

#include "proxy/kernel_tables.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace waypost::test {

class FakeKernel final : public proxy::KernelTables {
 public:
  using Rules = std::vector<std::string>;
  using Chains = std::vector<std::pair<std::string, Rules>>;  // In the order of their making.

  FakeKernel();

  boost::asio::awaitable<std::expected<void, proxy::RestoreFailure>> restore(
      std::shared_ptr<const std::string> input) override;
  boost::asio::awaitable<Result<void>> save(proxy::Table table,
                                            std::function<void(std::string_view)> take) override;
  std::uint64_t fingerprint(proxy::Table table) override;

  // What is done without a program, by somebody else; fails the test when it is refused.
  void run(const std::string& input);
  // Answers of the next calls of restore(), one for each; the input is not applied.
  std::deque<proxy::RestoreFailure> failures;
  // A rule with this text in it is refused; with its line, or with that of COMMIT.
  std::string poison;
  bool blames_commit = false;
  // How many packets matched a rule with this text; others' counters are 0.
  std::map<std::string, std::uint64_t> packets;
  // What restore() was given, in order.
  std::vector<std::string> inputs;
  std::size_t saves = 0;

  std::string text(proxy::Table table) const;
  std::string text() const { return text(proxy::Table::Filter) + text(proxy::Table::Nat); }

 private:
  std::optional<proxy::RestoreFailure> apply(const std::string& input);

  std::map<proxy::Table, Chains> tables_;
  std::uint64_t generation_ = 1;
};

}  // namespace waypost::test
