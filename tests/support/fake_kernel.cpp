#include "support/fake_kernel.h"

#include "proxy/saved_rules.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <stdexcept>

namespace waypost::test {
namespace {

using proxy::RestoreFailure;
using proxy::Table;

RestoreFailure refusal(std::size_t line, std::string what) {
  return {RestoreFailure::Kind::Refused, line,
          "line " + std::to_string(line) + " failed: " + std::move(what)};
}

FakeKernel::Rules* find(FakeKernel::Chains& chains, std::string_view name) {
  const auto at = std::find_if(chains.begin(), chains.end(),
                               [&](const auto& chain) { return chain.first == name; });
  return at == chains.end() ? nullptr : &at->second;
}

bool is_referenced(const FakeKernel::Chains& chains, std::string_view name) {
  return std::any_of(chains.begin(), chains.end(), [&](const auto& chain) {
    return std::any_of(chain.second.begin(), chain.second.end(),
                       [&](const std::string& rule) { return proxy::target_of(rule) == name; });
  });
}

// One line of a table's part; returns what is wrong with it.
std::string apply_line(FakeKernel::Chains& chains, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  std::string name;
  words >> command;
  if (command.starts_with(':')) {
    name = command.substr(1);
    FakeKernel::Rules* rules = find(chains, name);
    if (rules != nullptr) {
      rules->clear();
    } else {
      chains.emplace_back(name, FakeKernel::Rules());
    }
    return {};
  }
  words >> name;
  FakeKernel::Rules* rules = find(chains, name);
  if (rules == nullptr) {
    return "no chain " + name;
  }
  std::string rest;
  std::getline(words >> std::ws, rest);
  if (command == "-X") {
    if (!rules->empty() || is_referenced(chains, name)) {
      return name + " is in use";
    }
    std::erase_if(chains, [&](const auto& chain) { return chain.first == name; });
    return {};
  }
  std::size_t position = 0;
  if (command != "-A" && !rest.empty() && rest[0] >= '0' && rest[0] <= '9') {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    std::from_chars(rest.data(), rest.data() + end, position);
    rest.erase(0, std::min(end + 1, rest.size()));
  }
  const auto at = [&] { return rules->begin() + (static_cast<std::ptrdiff_t>(position) - 1); };
  if (command == "-A") {
    rules->push_back(rest);
  } else if (command == "-I" && position >= 1 && position <= rules->size() + 1) {
    rules->insert(at(), rest);
  } else if (command == "-R" && position >= 1 && position <= rules->size()) {
    *at() = rest;
  } else if (command == "-D" && position >= 1 && position <= rules->size()) {
    rules->erase(at());
  } else if (command == "-D" && position == 0) {
    const auto found = std::find(rules->begin(), rules->end(), rest);
    if (found == rules->end()) {
      return "no such rule";
    }
    rules->erase(found);
  } else {
    return "index too big";
  }
  return {};
}

// A rule may lead to a target or to a chain that exists.
bool leads_nowhere(const FakeKernel::Chains& chains, std::string_view rule) {
  const std::string_view target = proxy::target_of(rule);
  return target.starts_with("KUBE-") &&
         std::none_of(chains.begin(), chains.end(),
                      [&](const auto& chain) { return chain.first == target; });
}

}  // namespace

FakeKernel::FakeKernel() {
  for (const char* chain : {"INPUT", "FORWARD", "OUTPUT"}) {
    tables_[Table::Filter].emplace_back(chain, Rules());
  }
  for (const char* chain : {"PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"}) {
    tables_[Table::Nat].emplace_back(chain, Rules());
  }
  for (const char* chain : {"PREROUTING", "OUTPUT"}) {
    tables_[Table::Raw].emplace_back(chain, Rules());
  }
}

std::optional<RestoreFailure> FakeKernel::apply(const std::string& input) {
  std::istringstream lines(input);
  Chains chains;
  Table table = Table::Filter;
  bool is_open = false;
  std::size_t number = 0;
  std::size_t poisoned = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.starts_with('*')) {
      table = line == "*nat" ? Table::Nat : line == "*raw" ? Table::Raw : Table::Filter;
      chains = tables_[table];
      is_open = true;
      continue;
    }
    if (line == "COMMIT") {
      for (const auto& [name, rules] : chains) {
        for (const std::string& rule : rules) {
          if (leads_nowhere(chains, rule)) {
            return refusal(number, "a rule of " + name + " leads to no chain: " + rule);
          }
        }
      }
      if (poisoned != 0) {
        return refusal(blames_commit ? number : poisoned, "not by me");
      }
      tables_[table] = std::move(chains);
      ++generation_;
      is_open = false;
      continue;
    }
    if (std::string wrong = apply_line(chains, line); !wrong.empty()) {
      return refusal(number, wrong);
    }
    if (!poison.empty() && line.find(poison) != std::string::npos) {
      poisoned = number;
    }
  }
  if (is_open) {
    return refusal(number, "COMMIT expected");
  }
  return std::nullopt;
}

boost::asio::awaitable<std::expected<void, RestoreFailure>> FakeKernel::restore(
    std::shared_ptr<const std::string> input) {
  inputs.push_back(*input);
  if (!failures.empty()) {
    RestoreFailure failed = failures.front();
    failures.pop_front();
    co_return std::unexpected(std::move(failed));
  }
  if (auto failed = apply(*input)) {
    co_return std::unexpected(std::move(*failed));
  }
  co_return std::expected<void, RestoreFailure>();
}

boost::asio::awaitable<Result<void>> FakeKernel::save(Table table,
                                                      std::function<void(std::string_view)> take) {
  ++saves;
  std::istringstream lines(text(table));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("-A ")) {
      const std::string rule = line.substr(std::min(line.find(' ', 3), line.size() - 1) + 1);
      const auto counted = packets.find(rule);
      const std::uint64_t count = counted != packets.end() ? counted->second : 0;
      line.insert(0, "[" + std::to_string(count) + ":" + std::to_string(count * 60) + "] ");
    }
    take(line + "\n");
  }
  co_return Result<void>();
}

std::uint64_t FakeKernel::fingerprint(Table /*table*/) {
  return generation_;
}

void FakeKernel::run(const std::string& input) {
  if (const auto failed = apply(input)) {
    throw std::logic_error(failed->message);
  }
}

std::string FakeKernel::text(Table table) const {
  std::string out = "# Generated by a test\n*" + std::string(to_text(table)) + "\n";
  for (const auto& [name, rules] : tables_.at(table)) {
    out += ":" + name + (name.starts_with("KUBE-") ? " - [0:0]\n" : " ACCEPT [7:420]\n");
  }
  for (const auto& [name, rules] : tables_.at(table)) {
    for (const std::string& rule : rules) {
      out += "-A " + name + " " + rule + "\n";
    }
  }
  return out + "COMMIT\n# Completed\n";
}

}  // namespace waypost::test
