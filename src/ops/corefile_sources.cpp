// The directives about where answers come from: kubernetes, forward.

#include "ops/corefile_translator.h"
#include "ops/text.h"

#include <algorithm>
#include <utility>

namespace waypost::ops {

using corefile::Line;
using corefile::Word;

namespace {

// The words from `from` on, joined by blanks.
std::string joined(const Line& line, std::size_t from) {
  std::string text;
  for (std::size_t i = from; i < line.words.size(); ++i) {
    text += (i == from ? "" : " ") + line.words[i].text;
  }
  return text;
}

}  // namespace

//------------------------------------------------------------------ kubernetes

void Translator::read_kubernetes(const Line& line) {
  for (const Block& block : blocks_) {
    if (block.has_kubernetes) {
      return complain(line.place(), "kubernetes: found a second time, expected one in the file");
    }
  }
  block_->has_kubernetes = true;
  block_->cluster = line.words.size() > 1 ? argument_zones(line, 1) : block_->zones;
  read_options(line);
}

void Translator::read_endpoint(const Line& line) {
  if (has_arguments(line, 1, 1)) {
    set("apiServer", line.words[1].text, line);
  }
}

void Translator::read_endpoint_pod_names(const Line& line) {
  if (has_arguments(line, 0, 0)) {
    set("endpointPodNames", "true", line);
  }
}

void Translator::read_fallthrough(const Line& line) {
  if (line.words.size() == 1) {
    falls_through_everywhere_ = true;
  }
  for (Zone& zone : argument_zones(line, 1)) {
    fallthrough_.push_back(std::move(zone));
  }
}

void Translator::read_ignore(const Line& line) {
  if (!has_arguments(line, 1, 1)) {
    return;
  }
  if (line.words[1].text != "empty_service") {
    return complain(line.place(), "kubernetes ignore: found '" + line.words[1].text +
                                      "', expected empty_service");
  }
  set("ignoreEmptyServices", "true", line);
}

void Translator::read_kubeconfig(const Line& line) {
  if (!has_arguments(line, 1, 2)) {
    return;
  }
  set("kubeconfig", line.words[1].text, line);
  if (line.words.size() > 2) {
    set("context", line.words[2].text, line);
  }
}

void Translator::read_labels(const Line& line) {
  if (has_arguments(line, 1, SIZE_MAX)) {
    set("labels", joined(line, 1), line);
  }
}

void Translator::read_namespace_labels(const Line& line) {
  if (has_arguments(line, 1, SIZE_MAX)) {
    set("namespaceLabels", joined(line, 1), line);
  }
}

void Translator::read_namespaces(const Line& line) {
  for (std::size_t i = 1; i < line.words.size(); ++i) {
    add("namespaces", line.words[i].text, line.words[i].place, name_of(line));
  }
  (void)has_arguments(line, 1, SIZE_MAX);
}

void Translator::read_pods(const Line& line) {
  if (has_arguments(line, 1, 1)) {
    set("pods", line.words[1].text, line);
  }
}

void Translator::read_ttl(const Line& line) {
  if (has_arguments(line, 1, 1)) {
    set("ttl", line.words[1].text, line);
  }
}

void Translator::read_upstream(const Line& line) {
  if (line.words.size() > 1) {
    complain(line.place(), "kubernetes upstream: found '" + line.words[1].text +
                               "', expected nothing; use forward for the zone of the targets");
  }
}

//------------------------------------------------------------------ forward

void Translator::read_forward(const Line& line) {
  if (!has_arguments(line, 2, SIZE_MAX)) {
    return;
  }
  force_tcp_ = false;
  tls_name_.clear();
  policy_.clear();
  has_own_ca_ = false;
  read_options(line);

  Forward forward;
  forward.place = line.place();
  forward.policy = policy_;
  forward.has_own_ca = has_own_ca_;
  for (const Zone& from : zones_of(line.words[1], line.words[1].text)) {
    for (Zone& zone : within_block(from)) {
      add_zone(std::move(zone), forward.zones);
    }
  }
  if (forward.zones.empty()) {
    return complain(line.place(), "forward: found the zone '" + line.words[1].text +
                                      "', expected one that shares names with its server block's");
  }
  for (const Forward& before : block_->forwards) {
    for (const Zone& zone : forward.zones) {
      const bool is_taken = covers(before.zones, zone.name);
      if (is_taken) {
        return complain(line.place(), "forward: found the zone '" + zone.text +
                                          "' behind the forward of " + before.place.to_text() +
                                          ", which has its names; expected it in front");
      }
    }
  }
  for (std::size_t i = 2; i < line.words.size(); ++i) {
    if (std::string upstream = to_upstream(line.words[i]); !upstream.empty()) {
      forward.upstreams.push_back(std::move(upstream));
    }
  }
  block_->forwards.push_back(std::move(forward));
}

// In this program's form; empty, and a problem, when there is none.
std::string Translator::to_upstream(const Word& word) {
  std::string text = word.text;
  const auto refuse = [&](std::string why) {
    complain(word.place, "forward: found '" + word.text + "', " + std::move(why));
    return std::string();
  };
  if (text.starts_with('/')) {
    return force_tcp_ ? refuse("expected addresses with force_tcp") : text;
  }
  if (text.starts_with("https://") || text.starts_with("grpc://") || text.starts_with("quic://")) {
    return refuse("expected an address or tls://, for this protocol is not spoken");
  }
  if (!text.starts_with("tls://")) {
    if (text.starts_with("dns://")) {
      text.erase(0, 6);
    }
    return force_tcp_ ? "tcp://" + text : text;
  }
  std::string name = tls_name_;
  // tls://ADDRESS%NAME:PORT
  if (const std::size_t percent = text.find('%'); percent != std::string::npos) {
    if (!name.empty()) {
      return refuse("expected its name there or in tls_servername, not both");
    }
    name = text.substr(percent + 1);
    text.resize(percent);
    if (const std::size_t colon = name.find(':'); colon != std::string::npos) {
      const bool is_v6 = text.find(':', 6) != std::string::npos && !text.ends_with(']');
      text = is_v6 ? "tls://[" + text.substr(6) + "]" : text;
      text += name.substr(colon);
      name.resize(colon);
    }
  }
  return name.empty() ? text : text + "#" + name;
}

void Translator::read_failover(const Line& line) {
  for (std::size_t i = 1; i < line.words.size(); ++i) {
    const std::string& rcode = line.words[i].text;
    if (rcode != "SERVFAIL" && rcode != "REFUSED") {
      complain(line.words[i].place, "forward failover: found '" + rcode +
                                        "', expected SERVFAIL or REFUSED; with any other rcode an "
                                        "answer is an answer");
    }
  }
  (void)has_arguments(line, 1, SIZE_MAX);
}

void Translator::read_force_tcp(const Line& line) {
  force_tcp_ = has_arguments(line, 0, 0);
}

void Translator::read_max_concurrent(const Line& line) {
  if (!has_arguments(line, 1, 1)) {
    return;
  }
  // 0: as many as there are.
  set("maxInFlight", line.words[1].text == "0" ? "100000" : line.words[1].text, line);
}

void Translator::read_policy(const Line& line) {
  if (has_arguments(line, 1, 1)) {
    policy_ = line.words[1].text;
  }
}

// `tls`, `tls CA`, `tls CERTIFICATE KEY`, `tls CERTIFICATE KEY CA`.
void Translator::read_tls(const Line& line) {
  if (line.words.size() > 2) {
    return complain(line.place(), "forward tls: found '" + line.words[1].text + "' and " +
                                      std::to_string(line.words.size() - 2) +
                                      " more, expected at most one file, that of the authorities, "
                                      "for no certificate is shown to upstreams");
  }
  if (line.words.size() == 2) {
    has_own_ca_ = true;
    set("upstreamCaFile", line.words[1].text, line);
  }
}

void Translator::read_tls_servername(const Line& line) {
  if (has_arguments(line, 1, 1)) {
    tls_name_ = line.words[1].text;
  }
}

}  // namespace waypost::ops
