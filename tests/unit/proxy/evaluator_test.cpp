#include "proxy/evaluator.h"

#include "proxy/rule_parser.h"
#include "world.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::proxy {
namespace {

// Rules of the hooks that a case needs, and of chains A, B, C.
struct Tables {
  std::string filter;
  std::string nat;
  std::string policy = "ACCEPT";
};

Evaluation run(const Tables& tables, const Packet& packet) {
  const auto rules_of = [](const std::string& policy, const std::string& rules) {
    std::string text;
    for (const char* name : {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}) {
      text += ":" + std::string(name) + " " + policy + " [0:0]\n";
    }
    return text + ":A - [0:0]\n:B - [0:0]\n:C - [0:0]\n" + rules;
  };
  static SavedRules saved;  // Outcomes borrow from it until the next call.
  auto parsed = parse_saved_rules("*filter\n" + rules_of(tables.policy, tables.filter) +
                                  "COMMIT\n*nat\n" + rules_of("ACCEPT", tables.nat) + "COMMIT\n");
  REQUIRE_MESSAGE(parsed, (parsed ? "" : parsed.error().message));
  saved = std::move(*parsed);
  return evaluate(saved.rules, test_facts(), packet, saved.dropping);
}

std::string show(const Evaluation& evaluation) {
  std::string text;
  for (const Outcome& outcome : evaluation.outcomes) {
    static constexpr const char* Verdicts[] = {"accept", "drop", "reject"};
    text += text.empty() ? "" : ", ";
    text += std::string(Verdicts[static_cast<int>(outcome.verdict)]) + " " +
            outcome.destination.to_text() + (outcome.is_masqueraded ? " masq" : "");
  }
  return text + (evaluation.is_complete ? "" : " INCOMPLETE");
}

Packet packet(std::string_view destination, std::uint16_t port = 80) {
  return {.source = ip("10.0.0.2"), .destination = ip(destination), .port = port};
}

Packet host_packet(std::string_view destination) {
  return {.source = ip("192.168.0.2"),
          .destination = ip(destination),
          .port = 80,
          .origin = Origin::Host};
}

}  // namespace

TEST_CASE("a packet that no rule matches goes where it wanted to") {
  CHECK(show(run({}, packet("203.0.113.9"))) == "accept 203.0.113.9:80");
  CHECK(show(run({.nat = "-A PREROUTING -d 1.1.1.1/32 -j A\n-A A -j RETURN\n"},
                 packet("1.1.1.1"))) == "accept 1.1.1.1:80");
}

TEST_CASE("DNAT ends nat, and later rules see the new destination") {
  const std::string nat =
      "-A PREROUTING -p tcp -j DNAT --to-destination 10.1.1.1:8080\n"
      "-A PREROUTING -p tcp -j DNAT --to-destination 10.1.1.2:8080\n";
  CHECK(show(run({.nat = nat}, packet("1.1.1.1"))) == "accept 10.1.1.1:8080");
  CHECK(show(run({.filter = "-A FORWARD -d 10.1.1.1/32 -p tcp -m tcp --dport 8080 -j DROP\n",
                  .nat = nat},
                 packet("1.1.1.1"))) == "drop 10.1.1.1:8080");
  CHECK(show(run({.filter = "-A FORWARD -d 1.1.1.1/32 -j DROP\n", .nat = nat},
                 packet("1.1.1.1"))) == "accept 10.1.1.1:8080");
  CHECK(show(run({.filter = "-A FORWARD -m conntrack ! --ctstate DNAT -j DROP\n", .nat = nat},
                 packet("1.1.1.1"))) == "accept 10.1.1.1:8080");
}

TEST_CASE("the hooks that a packet passes depend on where it comes from and goes to") {
  const Tables tables = {
      .filter =
          "-A INPUT -d 192.168.0.2/32 -j REJECT\n-A FORWARD -d 10.9.9.9/32 -j DROP\n"
          "-A OUTPUT -d 10.8.8.8/32 -j REJECT\n",
      .nat =
          "-A POSTROUTING -d 10.7.7.7/32 -j MASQUERADE\n"
          "-A OUTPUT -d 1.1.1.1/32 -p tcp -j DNAT --to-destination 192.168.0.2:1\n"};
  CHECK(show(run(tables, packet("192.168.0.2"))) == "reject 192.168.0.2:80");
  CHECK(show(run(tables, packet("10.9.9.9"))) == "drop 10.9.9.9:80");
  CHECK(show(run(tables, packet("10.8.8.8"))) == "accept 10.8.8.8:80");
  CHECK(show(run(tables, packet("10.7.7.7"))) == "accept 10.7.7.7:80 masq");
  CHECK(show(run(tables, host_packet("10.8.8.8"))) == "reject 10.8.8.8:80");
  CHECK(show(run(tables, host_packet("10.9.9.9"))) == "accept 10.9.9.9:80");
  CHECK(show(run(tables, host_packet("10.7.7.7"))) == "accept 10.7.7.7:80 masq");
  // The node to itself, after translation.
  CHECK(show(run(tables, host_packet("1.1.1.1"))) == "reject 192.168.0.2:1");
}

TEST_CASE("chance is followed both ways, with its share") {
  const Evaluation evaluation = run(
      {.nat = "-A PREROUTING -j A\n"
              "-A A -p tcp -m statistic --mode random --probability 0.25000000000 -j DNAT "
              "--to-destination 10.1.1.1:80\n-A A -p tcp -j DNAT --to-destination 10.1.1.2:80\n"},
      packet("1.1.1.1"));
  CHECK(show(evaluation) == "accept 10.1.1.1:80, accept 10.1.1.2:80");
  CHECK(evaluation.outcomes[0].probability == doctest::Approx(0.25));
  CHECK(evaluation.outcomes[1].probability == doctest::Approx(0.75));
  REQUIRE(evaluation.outcomes[1].way.size() == 2);
  CHECK(evaluation.outcomes[1].way[0].chain == "PREROUTING");
  CHECK(evaluation.outcomes[1].way[1].rule == "-p tcp -j DNAT --to-destination 10.1.1.2:80");
}

TEST_CASE("jump comes back, goto does not, RETURN goes up one") {
  const std::string back = "-A A -j B\n-A A -j DROP\n-A B -j RETURN\n-A B -j ACCEPT\n";
  CHECK(show(run({.filter = "-A FORWARD -j A\n" + back}, packet("1.1.1.1"))) == "drop 1.1.1.1:80");
  CHECK(show(run({.filter = "-A FORWARD -j A\n-A A -g B\n-A A -j DROP\n-A B -j RETURN\n"},
                 packet("1.1.1.1"))) == "accept 1.1.1.1:80");
}

TEST_CASE("a way has the rules that led there, and no jumps that came to nothing") {
  const Evaluation evaluation =
      run({.filter = "-A FORWARD -j A\n-A A -j B\n-A B -p udp -j DROP\n-A FORWARD -j LOG\n"
                     "-A FORWARD -j C\n-A C -j RETURN\n-A FORWARD -p tcp -j DROP\n",
           .nat = "-A PREROUTING -j A\n-A A -j B\n-A B -j MARK --set-xmark 0x1/0x1\n"},
          packet("1.1.1.1"));
  REQUIRE(evaluation.outcomes.size() == 1);
  std::string way;
  for (const Step& step : evaluation.outcomes[0].way) {
    way += std::string(to_text(step.table)) + " " + std::string(step.chain) + " " +
           std::string(step.rule) + "\n";
  }
  CHECK(way ==
        "nat PREROUTING -j A\nnat A -j B\nnat B -j MARK --set-xmark 0x1/0x1\n"
        "filter FORWARD -p tcp -j DROP\n");
}

TEST_CASE("marks are set, cleared and compared under their mask") {
  const std::string set = "-A PREROUTING -j MARK --set-xmark 0x4000/0x4000\n";
  const std::string masquerade =
      "-A POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n"
      "-A POSTROUTING -j MASQUERADE\n";
  CHECK(show(run({.nat = set + masquerade}, packet("1.1.1.1"))) == "accept 1.1.1.1:80 masq");
  CHECK(show(run({.nat = masquerade}, packet("1.1.1.1"))) == "accept 1.1.1.1:80");
  CHECK(show(run({.nat = set + "-A PREROUTING -j MARK --set-xmark 0x4000/0x0\n" + masquerade},
                 packet("1.1.1.1"))) == "accept 1.1.1.1:80");
  CHECK(show(run({.nat = "-A PREROUTING -j MARK --set-xmark 0x1/0x1\n" + masquerade},
                 packet("1.1.1.1"))) == "accept 1.1.1.1:80");
}

TEST_CASE("a hook's policy decides what its rules did not") {
  const Evaluation dropped = run({.policy = "DROP"}, packet("1.1.1.1"));
  CHECK(show(dropped) == "drop 1.1.1.1:80");
  CHECK(dropped.outcomes[0].way.back().rule == "policy DROP");
  CHECK(show(run({.filter = "-A FORWARD -j ACCEPT\n", .policy = "DROP"}, packet("1.1.1.1"))) ==
        "accept 1.1.1.1:80");
}

TEST_CASE("what cannot be judged is said, where it would have mattered") {
  const Evaluation evaluation =
      run({.filter = "-A FORWARD -p udp -m set --match-set a src -j DROP\n"
                     "-A FORWARD -p tcp -m set --match-set b src -j DROP\n"},
          packet("1.1.1.1"));
  CHECK(show(evaluation) == "accept 1.1.1.1:80");
  CHECK(evaluation.unjudged == std::set<std::string>{"FORWARD: -m set --match-set b src"});
}

TEST_CASE("rules that never end are left") {
  CHECK(show(run({.filter = "-A FORWARD -j A\n-A A -j A\n"}, packet("1.1.1.1"))) == " INCOMPLETE");
  CHECK(show(run({.filter = "-A FORWARD -j A\n-A A -g B\n-A B -g A\n"}, packet("1.1.1.1"))) ==
        " INCOMPLETE");
}

TEST_CASE("an address is compared with another by a program") {
  const std::string nat =
      "-A POSTROUTING -m bpf --bytecode \"6,32 0 0 16,7 0 0 0,32 0 0 12,29 0 1 0,6 0 0 65535,6 0 0 "
      "0\" -j MASQUERADE\n";
  CHECK(show(run({.nat = nat}, packet("10.0.0.2"))) == "accept 10.0.0.2:80 masq");
  CHECK(show(run({.nat = nat}, packet("10.0.0.3"))) == "accept 10.0.0.3:80");
  // A program that is not understood matches nothing.
  CHECK(show(run({.nat = "-A POSTROUTING -m bpf --bytecode \"2,40 0 0 0,6 0 0 1\" -j MASQUERADE\n"},
                 packet("10.0.0.2"))) == "accept 10.0.0.2:80");
}

TEST_CASE("rules of other families, interfaces and types") {
  const auto dropped = [](const std::string& match, Packet wanted) {
    return show(
               run({.filter = "-A FORWARD " + match + " -j DROP\n-A INPUT " + match + " -j DROP\n"},
                   wanted))
        .starts_with("drop");
  };
  Packet from_pod = packet("1.1.1.1");
  from_pod.in_interface = "veth12";
  CHECK(dropped("-i veth+", from_pod));
  CHECK_FALSE(dropped("-i veth1", from_pod));
  CHECK(dropped("! -i eth0", from_pod));
  CHECK(dropped("-m addrtype --dst-type LOCAL", packet("192.168.1.2")));
  CHECK(dropped("-m addrtype --dst-type LOCAL", packet("127.0.0.1")));
  CHECK_FALSE(dropped("-m addrtype --dst-type LOCAL", packet("192.168.1.3")));
  CHECK(dropped("-m conntrack --ctstate NEW", packet("1.1.1.1")));
  CHECK_FALSE(dropped("-m conntrack --ctstate RELATED,ESTABLISHED", packet("1.1.1.1")));
  CHECK_FALSE(dropped("-m conntrack --ctstate INVALID", packet("1.1.1.1")));
}

}  // namespace waypost::proxy
