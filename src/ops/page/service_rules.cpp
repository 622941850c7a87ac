#include "ops/page/service_rules.h"

#include "ops/page/table.h"

#include <algorithm>
#include <utility>

namespace waypost::ops {
namespace {

constexpr std::size_t MaxRuleText = 1000;  // Of one rule on the page, in octets.

}  // namespace

void ServiceRules::take(const proxy::SavedLine& line) {
  if (line.kind != proxy::SavedLine::Kind::Rule || !line.table) {
    return;
  }
  // The same rule twice in one chain: the first line is that of the first one.
  const auto rule = std::ranges::find_if(rules, [&](const ServiceRule& each) {
    return !each.packets && each.table == *line.table && each.chain == line.chain &&
           each.rule == line.rule;
  });
  if (rule != rules.end()) {
    rule->packets = line.packets;
  }
}

ServiceRules wanted_rules(const proxy::Compiler& compiler, const kube::ObjectKey& key) {
  ServiceRules wanted;
  // What most rules differ in first, so that few owners are looked up.
  proxy::OwnerId mine = proxy::NoOwner;
  const auto is_mine = [&](proxy::OwnerId owner) {
    if (owner == proxy::NoOwner || mine != proxy::NoOwner) {
      return owner != proxy::NoOwner && owner == mine;
    }
    const kube::ObjectKey* known = compiler.owner(owner);
    if (known == nullptr || *known != key) {
      return false;
    }
    mine = owner;
    return true;
  };
  for (const proxy::Table table : {proxy::Table::Nat, proxy::Table::Filter}) {
    std::vector<proxy::ChainPointer> chains;
    compiler.rules().for_each(table, [&](const proxy::ChainPointer& chain) {
      for (std::size_t i = 0; i < chain->size(); ++i) {
        if (is_mine(chain->owner(i))) {
          chains.push_back(chain);
          break;
        }
      }
    });
    std::ranges::sort(chains, {}, [](const auto& chain) { return chain->name(); });
    for (const proxy::ChainPointer& chain : chains) {
      for (std::size_t i = 0; i < chain->size(); ++i) {
        if (!is_mine(chain->owner(i))) {
          continue;
        }
        if (wanted.rules.size() == MaxShownRules) {
          ++wanted.left_out;
        } else {
          wanted.rules.push_back({table, chain->name(), std::string(chain->rule(i)), {}});
        }
      }
    }
  }
  return wanted;
}

boost::asio::awaitable<Result<void>> count_rules(proxy::KernelTables& tables, ServiceRules& rules) {
  for (const proxy::Table table : {proxy::Table::Nat, proxy::Table::Filter}) {
    if (std::ranges::find(rules.rules, table, &ServiceRule::table) == rules.rules.end()) {
      continue;
    }
    proxy::SavedTextReader reader([&](const proxy::SavedLine& line) { rules.take(line); });
    const Result<void> saved =
        co_await tables.save(table, [&](std::string_view piece) { reader.take(piece); });
    if (!saved) {
      co_return std::unexpected(saved.error());
    }
    if (Result<void> whole = reader.finish(); !whole) {
      co_return whole;
    }
  }
  co_return Result<void>();
}

Html rules_table(std::string_view family, const ServiceRules& rules, std::string_view problem) {
  HtmlTable table(std::string(family) + " rules",
                  {{"Chain"}, {"Table"}, {"Packets", Align::Number}, {"Rule"}}, "there are none");
  for (const ServiceRule& rule : rules.rules) {
    Html packets;
    if (rule.packets) {
      packets.number(*rule.packets);
    } else {
      packets.text(problem.empty() ? "not in the kernel" : "-");
    }
    Html text = Html().markup("<code>").text(std::string_view(rule.rule).substr(0, MaxRuleText));
    text.markup(rule.rule.size() > MaxRuleText ? Markup("&hellip;</code>") : Markup("</code>"));
    table.row({escaped(rule.chain), escaped(proxy::to_text(rule.table)), packets, text});
  }
  Html note;
  if (rules.left_out != 0) {
    note.markup("And ").number(std::uint64_t{rules.left_out}).markup(" more. ");
  }
  if (!problem.empty()) {
    note.text("The kernel's counts could not be read: ").text(problem.substr(0, 500));
  }
  table.note(note);
  return table.finish();
}

}  // namespace waypost::ops
