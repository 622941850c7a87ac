#include "proxy/backend.h"
#include "proxy/iptables.h"
#include "proxy/xtables_lock.h"

#include <doctest/doctest.h>

#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace waypost::proxy {

// Texts of iptables 1.8.9.
TEST_CASE("what iptables-restore complains about is a line, the lock, or neither") {
  using Kind = RestoreFailure::Kind;
  struct Row {
    int status;
    const char* errors;
    Kind kind;
    std::size_t line;
  };
  for (const Row& row : {
           Row{2,
               "iptables-restore v1.8.9 (legacy): host/network `10.0.0.300' not found\nError "
               "occurred at line: 3\nTry `iptables-restore -h' or 'iptables-restore --help' for "
               "more information.\n",
               Kind::Refused, 3},
           Row{1, "iptables-restore: line 7 failed\n", Kind::Refused, 7},
           Row{1, "iptables-nft-restore: line 4 failed: Index of deletion too big.\n",
               Kind::Refused, 4},
           Row{4,
               "iptables-nft-restore v1.8.9 (nf_tables): \nline 5: RULE_APPEND failed (Invalid "
               "argument): rule in chain KUBE-A\n",
               Kind::Refused, 5},
           Row{4, "Another app is currently holding the xtables lock. Stopped waiting after 1s.\n",
               Kind::LockBusy, 0},
           Row{4, "iptables-nft-restore v1.8.9 (nf_tables): Could not fetch rule set\n",
               Kind::Refused, 0},
           Row{1, "", Kind::Refused, 0},
       }) {
    const RestoreFailure failed = read_restore_failure(row.status, row.errors);
    CHECK_MESSAGE(failed.kind == row.kind, row.errors);
    CHECK_MESSAGE(failed.line == row.line, row.errors);
    CHECK(failed.message.find('\n') == std::string::npos);
  }
}

TEST_CASE("programs are named by backend and family") {
  CHECK(program_name(Backend::Nft, kube::IpFamily::V4, "save") == "iptables-nft-save");
  CHECK(program_name(Backend::Legacy, kube::IpFamily::V6, "restore") == "ip6tables-legacy-restore");
}

namespace {

std::string chosen(const BackendFinding& nft, const BackendFinding& legacy,
                   std::optional<Backend> wanted = std::nullopt) {
  const auto choice = choose_backend({nft, legacy}, wanted);
  return choice ? std::string(to_text(choice->backend)) : "refused";
}

}  // namespace

TEST_CASE("the backend is the one that the kubelet, a proxy or a plugin uses") {
  const BackendFinding none{.is_installed = true};
  const BackendFinding absent{.problem = "no such program"};
  const BackendFinding hint{.is_installed = true, .hint_chains = 1};
  const BackendFinding own{.is_installed = true, .own_chains = 40};
  const BackendFinding few{.is_installed = true, .other_chains = 1, .other_rules = 2};
  const BackendFinding many{.is_installed = true, .other_chains = 9, .other_rules = 50};
  CHECK(chosen(none, none) == "iptables-nft");
  CHECK(chosen(absent, none) == "iptables-legacy");
  CHECK(chosen(none, absent) == "iptables-nft");
  CHECK(chosen(absent, absent) == "refused");
  CHECK(chosen(none, hint) == "iptables-legacy");
  CHECK(chosen(many, hint) == "iptables-legacy");
  CHECK(chosen(hint, many) == "iptables-nft");
  CHECK(chosen(none, own) == "iptables-legacy");
  CHECK(chosen(many, own) == "iptables-legacy");
  CHECK(chosen(own, own) == "refused");
  CHECK(chosen(few, many) == "iptables-legacy");
  CHECK(chosen(few, few) == "iptables-nft");
  CHECK(chosen(hint, none, Backend::Nft) == "iptables-nft");
  CHECK(chosen(many, none, Backend::Legacy) == "iptables-legacy");
  // Both would be in force.
  CHECK(chosen(hint, none, Backend::Legacy) == "refused");
  CHECK(chosen(own, none, Backend::Legacy) == "refused");
  CHECK(chosen(none, absent, Backend::Legacy) == "refused");
}

TEST_CASE("no backend is chosen while a Service proxy's rules are in the other") {
  const BackendFinding none{.is_installed = true};
  const BackendFinding hint{.is_installed = true, .hint_chains = 1};
  const BackendFinding own{.is_installed = true, .own_chains = 3};
  const BackendFinding both{.is_installed = true, .hint_chains = 1, .own_chains = 3};
  CHECK(chosen(hint, own) == "refused");
  CHECK(chosen(own, hint) == "refused");
  CHECK(chosen(hint, own, Backend::Nft) == "refused");
  CHECK(chosen(both, own) == "refused");
  CHECK(chosen(both, both) == "refused");
  CHECK(chosen(both, hint) == "iptables-nft");
  CHECK(chosen(hint, both) == "iptables-legacy");
  CHECK(chosen(none, both) == "iptables-legacy");
  // The reason is the one that counts, not the first that is true of the other.
  for (const auto& wanted : {std::optional<Backend>(), std::optional(Backend::Nft)}) {
    const auto refused = choose_backend({hint, wanted ? both : own}, wanted);
    REQUIRE(!refused);
    CHECK_MESSAGE(refused.error().message.find("but chains of a Service proxy are there in "
                                               "iptables-legacy, and rules in both would") !=
                      std::string::npos,
                  refused.error().message);
  }
}

TEST_CASE("whose chains are whose is read from the text of iptables-save") {
  BackendProbe probe;
  const std::string text =
      "*mangle\n:PREROUTING ACCEPT [0:0]\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n"
      "*nat\n:POSTROUTING ACCEPT [0:0]\n:KUBE-SERVICES - [0:0]\n:cali-PREROUTING - [0:0]\n"
      ":KUBE-FIREWALL - [0:0]\n-A PREROUTING -j cali-PREROUTING\n-A PREROUTING -j KUBE-SERVICES\n"
      "-A KUBE-SERVICES -j RETURN\nCOMMIT\n";
  probe.take(text.substr(0, 50));
  probe.take(text.substr(50));
  CHECK(probe.finding().hint_chains == 1);
  CHECK(probe.finding().own_chains == 1);
  CHECK(probe.finding().other_chains == 1);
  CHECK(probe.finding().other_rules == 1);
}

TEST_CASE("kube-proxy's canary in table mangle is found, unless somebody uses it") {
  const std::string canary = ":KUBE-PROXY-CANARY - [0:0]\n";
  const auto found = [](const std::string& text) {
    BackendProbe probe;
    probe.take(text);
    CHECK(probe.finding().own_chains == (text.find("*nat") != std::string::npos ? 1 : 0));
    return probe.finding().has_mangle_canary;
  };
  CHECK(found("*mangle\n:PREROUTING ACCEPT [0:0]\n" + canary + "COMMIT\n"));
  CHECK(
      found("*mangle\n" + canary + "-A PREROUTING -j MARK\nCOMMIT\n*nat\n" + canary + "COMMIT\n"));
  CHECK_FALSE(found("*nat\n" + canary + "COMMIT\n"));
  CHECK_FALSE(found("*mangle\n" + canary + "-A PREROUTING -j KUBE-PROXY-CANARY\nCOMMIT\n"));
  CHECK_FALSE(found("*mangle\n" + canary + "-A KUBE-PROXY-CANARY -j RETURN\nCOMMIT\n"));
}

TEST_CASE("the holder of a lock is found in /proc/locks") {
  const std::string locks =
      "1: FLOCK  ADVISORY  WRITE 812 fe:00:10952894 0 EOF\n"
      "1: -> FLOCK  ADVISORY  WRITE 900 fe:00:10952894 0 EOF\n"
      "2: POSIX  ADVISORY  READ  13 00:2e:77 128 128\n"
      "3: FLOCK  ADVISORY  WRITE -1 fe:00:5 0 EOF\n";
  CHECK(find_lock_holder(locks, 0xfe, 0, 10952894) == 812);
  CHECK(find_lock_holder(locks, 0, 0x2e, 77) == 13);
  CHECK(find_lock_holder(locks, 0xfe, 0, 5) == 0);
  CHECK(find_lock_holder(locks, 0xfe, 0, 6) == -1);
  CHECK(find_lock_holder("", 0xfe, 0, 6) == -1);
  for (std::size_t size = 0; size < locks.size(); ++size) {
    const int holder = find_lock_holder(locks.substr(0, size), 0xfe, 0, 10952894);
    CHECK((holder == 812 || holder == -1));
  }
}

TEST_CASE("a lock that this process holds is reported with its name") {
  std::string path = "/tmp/waypost-lock-XXXXXX";
  const int fd = ::mkstemp(path.data());
  REQUIRE(fd >= 0);
  CHECK(lock_holder(path) == "");
  REQUIRE(::flock(fd, LOCK_EX) == 0);
  CHECK(lock_holder(path) == "process " + std::to_string(::getpid()) + " (unit-proxy)");
  ::close(fd);
  ::unlink(path.c_str());
  CHECK(lock_holder(path) == "");
}

}  // namespace waypost::proxy
