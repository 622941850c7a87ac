// The variables that manifests of NodeLocal DNSCache have in their Corefile, which deployment or
// node-cache itself replaces.

#include "ops/corefile_translator.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace waypost::ops {

using corefile::Line;
using corefile::Word;

namespace {

constexpr std::string_view Prefix = "__PILLAR__";
constexpr std::string_view Upstreams = "__PILLAR__UPSTREAM__SERVERS__";

struct Variable {
  std::string_view name;
  std::string_view meaning;
};

constexpr auto Variables = std::to_array<Variable>({
    {"__PILLAR__CLUSTER__DNS__",
     "the address of the Service kube-dns-upstream, or {$KUBE_DNS_UPSTREAM_SERVICE_HOST}, which is "
     "that in a Pod; for waypost-node leave the block out, for it asks nobody for the cluster's "
     "names"},
    {"__PILLAR__LOCAL__DNS__", "the node's own address for DNS, such as 169.254.20.10"},
    {"__PILLAR__DNS__SERVER__",
     "the address of the Service kube-dns, or nothing where kube-proxy is in IPVS mode"},
    {"__PILLAR__DNS__DOMAIN__", "the cluster's domain, such as cluster.local"},
});

}  // namespace

void Translator::fill_in(Word& word) {
  const std::size_t at = word.text.find(Prefix);
  if (at == std::string::npos) {
    return;
  }
  if (word.text == Upstreams) {
    note(word.place,
         std::string(Upstreams) +
             " is /etc/resolv.conf here; write upstreamNameservers of the ConfigMap kube-dns "
             "instead, where there are some",
         true);
    word.text = "/etc/resolv.conf";
    return;
  }
  const std::string_view rest = std::string_view(word.text).substr(at);
  const auto known = std::ranges::find_if(
      Variables, [&](const Variable& each) { return rest.starts_with(each.name); });
  std::string meaning = "a value, for it stands for nothing here";
  if (known != Variables.end()) {
    meaning = known->meaning;
  } else if (rest.starts_with(Upstreams)) {
    meaning = "upstreamNameservers of the ConfigMap kube-dns, or /etc/resolv.conf";
  }
  complain(word.place, "found '" + word.text + "', expected " + meaning);
}

void Translator::fill_in(Line& line) {
  for (Word& word : line.words) {
    fill_in(word);
  }
  for (Line& each : line.block) {
    fill_in(each);
  }
}

}  // namespace waypost::ops
