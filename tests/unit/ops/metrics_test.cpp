#include "ops/metrics.h"
#include "ops/query_rules.h"

#include "base/file.h"
#include "ops/forward_metrics.h"
#include "ops/forwarding.h"
#include "ops/metric_collectors.h"
#include "ops/programming_times.h"
#include "ops/node_metrics.h"
#include "ops/query_log_writer.h"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace waypost::ops {
namespace {

using std::chrono::system_clock;

// A family as a scrape or the documentation shows it.
struct Family {
  std::string type;
  std::string help;
  std::set<std::string> labels;

  std::string to_text() const {
    std::string text = type + " {";
    for (const std::string& label : labels) {
      text += " " + label;
    }
    return text + " } " + help;
  }
};
using MetricFamilies = std::map<std::string, Family>;

MetricFamilies families_of(const std::string& scrape) {
  MetricFamilies families;
  std::istringstream lines(scrape);
  const std::regex sample(R"(([a-z0-9_]+)(?:\{(.*)\})? \S+)");
  const std::regex label(R"(([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*",?)");
  for (std::string line; std::getline(lines, line);) {
    std::smatch found;
    if (line.starts_with("# HELP ")) {
      const std::size_t blank = line.find(' ', 7);
      families[line.substr(7, blank - 7)].help = line.substr(blank + 1);
    } else if (line.starts_with("# TYPE ")) {
      const std::size_t blank = line.find(' ', 7);
      families[line.substr(7, blank - 7)].type = line.substr(blank + 1);
    } else if (std::regex_match(line, found, sample)) {
      const std::string labels = found[2];
      std::string name = found[1];
      // The samples of a histogram.
      for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
        if (!families.contains(name) && name.ends_with(suffix)) {
          name.resize(name.size() - suffix.size());
        }
      }
      REQUIRE_MESSAGE(families.contains(name), line);
      for (auto at = std::sregex_iterator(labels.begin(), labels.end(), label);
           at != std::sregex_iterator(); ++at) {
        if ((*at)[1] != "le") {
          families[name].labels.insert((*at)[1]);
        }
      }
    } else {
      FAIL("not a line of the text format: ", line);
    }
  }
  return families;
}

// The rows of the tables in docs/metrics.md.
MetricFamilies documented() {
  const auto page = read_file(std::filesystem::path(WAYPOST_SOURCE_ROOT) / "docs/metrics.md");
  REQUIRE(page);
  MetricFamilies families;
  std::istringstream lines(*page);
  const std::regex row(R"(\| `([a-z0-9_]+)` \| (\w+) \|([a-z_, ]*)\| (.*) \|)");
  const std::regex word(R"([a-z_]+)");
  for (std::string line; std::getline(lines, line);) {
    if (std::smatch found; std::regex_match(line, found, row)) {
      Family family{.type = found[2], .help = found[4], .labels = {}};
      const std::string labels = found[3];
      for (auto at = std::sregex_iterator(labels.begin(), labels.end(), word);
           at != std::sregex_iterator(); ++at) {
        family.labels.insert(at->str());
      }
      CHECK_MESSAGE(families.emplace(found[1], family).second,
                    "documented twice: ", found[1].str());
    }
  }
  return families;
}

// A scrape with every metric that there is.
std::string everything() {
  server::Counters counters;
  counters.rcodes[5].add();
  const std::array<const server::Counters*, 1> workers = {&counters};
  cache::ServiceCache cache;
  Metrics metrics;
  metrics.add(collect_build);
  metrics.add([](Scrape& scrape) { collect_process(scrape, read_process_status()); });
  metrics.add([&](Scrape& scrape) { collect_server(scrape, workers, "dns://:53"); });
  metrics.add([&](Scrape& scrape) { collect_world(scrape, cache); });
  metrics.add([](Scrape& scrape) {
    collect_plugins(scrape, {}, "dns://:53");
    collect_reloads(scrape, {});
    ProgrammingTimes(system_clock::now).collect(scrape);
  });
  rcu::RetireList retired;
  const search::PodDirectory pods(cache, {}, retired);
  metrics.add([&](Scrape& scrape) { collect_searches(scrape, workers, pods, "dns://:53"); });
  metrics.add([](Scrape& scrape) { collect_http(scrape, {.replies = {{200, 1}}}); });
  metrics.add([](Scrape& scrape) {
    collect_snapshot(scrape, {.created = system_clock::time_point()}, system_clock::now());
  });
  metrics.add([](Scrape& scrape) { collect_takeover(scrape, {}, 0); });
  metrics.add([](Scrape& scrape) {
    const SteadyTime now;
    const sources::KindStatus status{
        .last_contact = now, .last_event = now, .last_bookmark = now, .last_error = {}};
    const std::array<const sources::KindStatus*, 1> kinds = {&status};
    collect_source(scrape, kinds, now);
    collect_api_requests(scrape, kube::ApiRequests("10.96.0.1:443"));
  });
  boost::asio::io_context context;
  server::Views views;
  Forwarding forwarding(context, views, {});
  metrics.add([&](Scrape& scrape) { forwarding.collect(scrape, workers, "dns://:53"); });
  const QueryRules rules(context, views, 1, std::nullopt);
  metrics.add([&](Scrape& scrape) { rules.collect(scrape); });
  const QueryLogWriter query_log(context, views, 1);
  metrics.add([&](Scrape& scrape) { query_log.collect(scrape); });
  metrics.add([](Scrape& scrape) {
    std::array<resolver::UpstreamReport, 1> reports;
    reports[0].counters.rcodes[0] = 1;
    collect_upstreams(scrape, reports, 6);
  });
  return metrics.text();
}

}  // namespace

TEST_CASE("what is known about an upstream") {
  std::array<resolver::UpstreamReport, 1> reports;
  reports[0] = {.zone = "corp.example.",
                .upstream = "10.0.0.10:53",
                .socket = "10.0.0.10:53",
                .health = resolver::HealthState::Looping,
                .smoothed_latency = std::chrono::milliseconds(2),
                .loss = 0.5,
                .counters = {.queries = 9, .timeouts = 4, .failed_probes = 3}};
  reports[0].counters.rcodes[2] = 5;
  reports[0].counters.rcodes[dns::OtherRcodes] = 1;
  reports[0].counters.latencies[2].observe(std::chrono::milliseconds(3));
  reports[0].counters.latencies[3].observe(std::chrono::milliseconds(500));
  Metrics metrics;
  metrics.add([&](Scrape& scrape) { collect_upstreams(scrape, reports, 6); });
  const std::string text = metrics.text();
  for (
      const char* line : {
          "coredns_forward_requests_total{to=\"10.0.0.10:53\"} 9\n",
          "coredns_forward_responses_total{to=\"10.0.0.10:53\",rcode=\"SERVFAIL\"} 5\n",
          "coredns_forward_responses_total{to=\"10.0.0.10:53\",rcode=\"other\"} 1\n",
          "coredns_forward_request_duration_seconds_bucket{to=\"10.0.0.10:53\",rcode="
          "\"SERVFAIL\",le=\"0.002\"} 0\n",
          "coredns_forward_request_duration_seconds_bucket{to=\"10.0.0.10:53\",rcode="
          "\"SERVFAIL\",le=\"0.004\"} 1\n",
          "coredns_forward_request_duration_seconds_bucket{to=\"10.0.0.10:53\",rcode="
          "\"SERVFAIL\",le=\"+Inf\"} 1\n",
          "coredns_proxy_request_duration_seconds_count{proxy_name=\"forward\",to=\"10.0.0.10:53\","
          "rcode=\"SERVFAIL\"} 1\n",
          "coredns_proxy_request_duration_seconds_sum{proxy_name=\"forward\",to=\"10.0.0.10:53\","
          "rcode=\"NXDOMAIN\"} 0.5\n",
          "coredns_proxy_request_duration_seconds_count{proxy_name=\"forward\",to=\"10.0.0.10:53\","
          "rcode=\"NOERROR\"} 0\n",
          "coredns_forward_healthcheck_failures_total{to=\"10.0.0.10:53\"} 3\n",
          "coredns_forward_healthcheck_broken_total 6\n",
          "waypost_upstream_up{zone=\"corp.example.\",upstream=\"10.0.0.10:53\"} 0\n",
          "waypost_upstream_looping{zone=\"corp.example.\",upstream=\"10.0.0.10:53\"} 1\n",
          "waypost_upstream_latency_seconds{zone=\"corp.example.\",upstream=\"10.0.0.10:53\"} "
          "0.002\n",
          "waypost_upstream_loss_ratio{zone=\"corp.example.\",upstream=\"10.0.0.10:53\"} 0.5\n",
          "waypost_upstream_timeouts_total{zone=\"corp.example.\",upstream=\"10.0.0.10:53\"} 4\n",
      }) {
    CHECK_MESSAGE(text.find(line) != std::string::npos, line, "\n", text);
  }
  CHECK_MESSAGE(
      text.find("seconds_count{proxy_name=\"forward\",to=\"10.0.0.10:53\",rcode=\"other\"") ==
          std::string::npos,
      "a probe's answer has no duration");
}

TEST_CASE("an upstream of several zones is one by the names that do not tell them apart") {
  std::array<resolver::UpstreamReport, 3> reports;
  reports[0] = {.zone = ".",
                .upstream = "10.0.0.10:53",
                .socket = "10.0.0.10:53",
                .counters = {.queries = 9}};
  reports[1] = reports[0];
  reports[1].zone = "corp.";
  reports[1].counters.queries = 4;
  reports[2] = reports[0];
  reports[2].upstream = "tcp://10.0.0.10:53";
  reports[2].transport = resolver::Transport::Tcp;
  reports[2].counters.queries = 100;
  for (resolver::UpstreamReport& report : reports) {
    report.counters.latencies[0].observe(std::chrono::milliseconds(3));
  }
  Metrics metrics;
  metrics.add([&](Scrape& scrape) { collect_upstreams(scrape, reports, 6); });
  const std::string text = metrics.text();
  const std::string sample = "\ncoredns_forward_requests_total{to=\"10.0.0.10:53\"} ";
  CHECK(text.find(sample + "113\n") != std::string::npos);
  CHECK(text.find(sample) == text.rfind(sample));
  CHECK(text.find("_duration_seconds_count{to=\"10.0.0.10:53\",rcode=\"NOERROR\"} 3\n") !=
        std::string::npos);
  CHECK(text.find("_total{to=\"tcp://") == std::string::npos);
  CHECK(text.find("waypost_upstream_up{zone=\".\",upstream=\"tcp://10.0.0.10:53\"}") !=
        std::string::npos);
  CHECK(text.find("waypost_upstream_up{zone=\"corp.\"") != std::string::npos);
}

TEST_CASE("connections to upstreams are told by protocol, as CoreDNS names it") {
  std::array<resolver::UpstreamReport, 5> reports;
  reports[0] = {.upstream = "10.0.0.10:53",
                .socket = "10.0.0.10:53",
                .counters = {.connections = 2, .reuses = 5}};
  reports[1] = {.upstream = "tls://10.0.0.11:853#dns.example",
                .socket = "10.0.0.11:853",
                .transport = resolver::Transport::Tls,
                .counters = {.connections = 1, .reuses = 7}};
  reports[2] = reports[1];
  reports[2].zone = "corp.";
  reports[3] = reports[0];
  reports[3].upstream = "tcp://10.0.0.10:53";
  reports[3].transport = resolver::Transport::Tcp;
  reports[4] = reports[1];
  reports[4].upstream = "tcp://10.0.0.11:853";
  reports[4].transport = resolver::Transport::Tcp;
  Scrape scrape;
  collect_upstreams(scrape, reports, 0);
  const std::string text = scrape.text();
  for (const char* line : {
           "coredns_proxy_conn_cache_hits_total{proxy_name=\"forward\",to=\"10.0.0.10:53\","
           "proto=\"tcp\"} 10\n",
           "coredns_proxy_conn_cache_misses_total{proxy_name=\"forward\",to=\"10.0.0.10:53\","
           "proto=\"tcp\"} 4\n",
           "coredns_proxy_conn_cache_hits_total{proxy_name=\"forward\",to=\"10.0.0.11:853\","
           "proto=\"tcp-tls\"} 14\n",
           "coredns_proxy_conn_cache_misses_total{proxy_name=\"forward\",to=\"10.0.0.11:853\","
           "proto=\"tcp-tls\"} 2\n",
           "coredns_proxy_conn_cache_hits_total{proxy_name=\"forward\",to=\"10.0.0.11:853\","
           "proto=\"tcp\"} 7\n",
       }) {
    CHECK_MESSAGE(text.find(line) != std::string::npos, line, "\n", text);
    CHECK_MESSAGE(text.find(line) == text.rfind(line), "once: ", line);
  }
}

TEST_CASE("the server is called by its address when it has one, else by its port") {
  for (const auto& [addresses, label] : {
           std::pair{std::vector{"169.254.20.10:53"}, "dns://169.254.20.10:53"},
           std::pair{std::vector{"[fd00::10]:1053"}, "dns://[fd00::10]:1053"},
           std::pair{std::vector{"0.0.0.0:53"}, "dns://:53"},
           std::pair{std::vector{"[::]:53"}, "dns://:53"},
           std::pair{std::vector{"0.0.0.0:53", "[::]:53"}, "dns://:53"},
           std::pair{std::vector{"169.254.20.10:53", "10.96.0.10:5353"}, "dns://:53"},
       }) {
    std::vector<SocketAddress> places;
    for (const char* address : addresses) {
      places.push_back(SocketAddress::from_text(address).value());
    }
    CHECK(server_label(places) == label);
  }
}

TEST_CASE("requests to the API server are told by client-go's codes") {
  kube::ApiRequests requests("10.96.0.1:443");
  requests.note(200, std::chrono::milliseconds(20));
  requests.note(kube::ApiRequests::NoResponse, std::chrono::seconds(2));
  for (unsigned status = 400; status < 400 + kube::ApiRequests::MaxStatuses; ++status) {
    requests.note(status, std::chrono::seconds(20));
  }
  Scrape scrape;
  collect_api_requests(scrape, requests);
  const std::string text = scrape.text();
  const std::string count =
      "coredns_kubernetes_rest_client_requests_total{code=\"*\",method=\"GET\",host=\"10.96.0.1:"
      "443\"} ";
  for (const auto& [code, value] : {std::pair{"200", "1"}, std::pair{"<error>", "1"},
                                    std::pair{"400", "1"}, std::pair{"other", "2"}}) {
    std::string line = count;
    line.replace(line.find('*'), 1, code);
    CHECK_MESSAGE(text.find(line + value + "\n") != std::string::npos, line, "\n", text);
  }
  const std::string name =
      "coredns_kubernetes_rest_client_request_duration_seconds_bucket{verb=\"GET\","
      "host=\"10.96.0.1:443\",le=";
  for (const char* bucket :
       {"\"0.01\"} 0\n", "\"0.025\"} 1\n", "\"1\"} 1\n", "\"2.5\"} 2\n", "\"10\"} 2\n"}) {
    CHECK_MESSAGE(text.find(name + bucket) != std::string::npos, bucket, "\n", text);
  }
}

TEST_CASE("a scrape is Prometheus' text format, families in order and labels escaped") {
  Metrics metrics;
  metrics.add([](Scrape& scrape) {
    scrape.counter("waypost_a_total", "First.", 41, {{"name", "x\"y\\z\n"}});
    scrape.gauge("waypost_b_seconds", "Second.", 0.25);
  });
  metrics.add([](Scrape& scrape) {
    scrape.counter("waypost_a_total", "First.", 12345678901, {{"name", "b"}, {"kind", ""}});
  });
  CHECK(metrics.text() ==
        "# HELP waypost_a_total First.\n"
        "# TYPE waypost_a_total counter\n"
        "waypost_a_total{name=\"x\\\"y\\\\z\\n\"} 41\n"
        "waypost_a_total{name=\"b\",kind=\"\"} 12345678901\n"
        "# HELP waypost_b_seconds Second.\n"
        "# TYPE waypost_b_seconds gauge\n"
        "waypost_b_seconds 0.25\n");
}

TEST_CASE("collectors are asked at each scrape") {
  int asked = 0;
  Metrics metrics;
  metrics.add([&](Scrape& scrape) { scrape.gauge("waypost_asked", "Asked.", ++asked); });
  CHECK(metrics.text().ends_with("waypost_asked 1\n"));
  CHECK(metrics.text().ends_with("waypost_asked 2\n"));
}

TEST_CASE("the counters of all workers are summed up under CoreDNS' names") {
  server::Counters one;
  server::Counters other;
  const auto add = [](server::Counters& to, server::Transport transport, bool is_v4,
                      dns::RecordType type, int times) {
    for (int i = 0; i < times; ++i) {
      to.queries.add(transport, is_v4, server::counted_type(type));
    }
  };
  add(one, server::Transport::Udp, true, dns::RecordType::A, 5);
  add(other, server::Transport::Udp, true, dns::RecordType::A, 2);
  add(other, server::Transport::Tcp, false, dns::RecordType::NSEC3, 4);
  add(other, server::Transport::Udp, false, dns::RecordType::CAA, 1);
  one.dnssec_ok.add(3);
  one.query_sizes[0].add(100);
  other.query_sizes[0].add(101);
  one.response_sizes[1].add(65535);
  one.durations.add(250, 2);  // Still in CoreDNS' first bucket.
  other.durations.add(251, 1);
  other.durations.add(0, 3);
  one.rcodes[0].add(3);
  other.rcodes[0].add(4);
  other.rcodes[5].add(2);
  one.rcodes[dns::OtherRcodes].add(1);
  one.truncated.add(9);
  other.receive_drops.add(6);
  const std::array<const server::Counters*, 2> workers = {&one, &other};
  Scrape scrape;
  collect_server(scrape, workers, "dns://:1053");
  const std::string text = scrape.text();
  for (const char* line :
       {"coredns_dns_requests_total{server=\"dns://:1053\",zone=\".\",proto=\"udp\",family=\"1\","
        "type=\"A\"} 7\n",
        "coredns_dns_requests_total{server=\"dns://:1053\",zone=\".\",proto=\"tcp\",family=\"2\","
        "type=\"NSEC3\"} 4\n",
        "coredns_dns_requests_total{server=\"dns://:1053\",zone=\".\",proto=\"udp\",family=\"2\","
        "type=\"other\"} 1\n",
        "coredns_dns_do_requests_total{server=\"dns://:1053\",zone=\".\"} 3\n",
        "coredns_dns_request_size_bytes_bucket{server=\"dns://:1053\",zone=\".\",proto=\"udp\","
        "le=\"100\"} 1\n",
        "coredns_dns_request_size_bytes_bucket{server=\"dns://:1053\",zone=\".\",proto=\"udp\","
        "le=\"200\"} 2\n",
        "coredns_dns_request_size_bytes_sum{server=\"dns://:1053\",zone=\".\",proto=\"udp\"} 201\n",
        "coredns_dns_response_size_bytes_bucket{server=\"dns://:1053\",zone=\".\",proto=\"tcp\","
        "le=\"64000\"} 0\n",
        "coredns_dns_response_size_bytes_bucket{server=\"dns://:1053\",zone=\".\",proto=\"tcp\","
        "le=\"+Inf\"} 1\n",
        "coredns_dns_request_duration_seconds_bucket{server=\"dns://:1053\",zone=\".\","
        "le=\"7.8125e-06\"} 3\n",
        "coredns_dns_request_duration_seconds_bucket{server=\"dns://:1053\",zone=\".\","
        "le=\"0.00025\"} 5\n",
        "coredns_dns_request_duration_seconds_bucket{server=\"dns://:1053\",zone=\".\","
        "le=\"0.0005\"} 6\n",
        "coredns_dns_request_duration_seconds_bucket{server=\"dns://:1053\",zone=\".\","
        "le=\"8.192\"} 6\n",
        "coredns_dns_responses_total{server=\"dns://:1053\",zone=\".\",rcode=\"NOERROR\"} 7\n",
        "coredns_dns_responses_total{server=\"dns://:1053\",zone=\".\",rcode=\"SERVFAIL\"} 0\n",
        "coredns_dns_responses_total{server=\"dns://:1053\",zone=\".\",rcode=\"NXDOMAIN\"} 0\n",
        "coredns_dns_responses_total{server=\"dns://:1053\",zone=\".\",rcode=\"REFUSED\"} 2\n",
        "coredns_dns_responses_total{server=\"dns://:1053\",zone=\".\",rcode=\"other\"} 1\n",
        "waypost_dns_truncated_total 9\n",
        "waypost_dns_receive_drops_total 6\n",
        "coredns_shed_dropped_total{server=\"dns://:1053\",reason=\"query\"} 6\n",
        "waypost_dns_dropped_total 0\n"}) {
    CHECK_MESSAGE(text.find(line) != std::string::npos, line, " is not in\n", text);
  }
  CHECK(text.find("NOTIMP") == std::string::npos);
}

TEST_CASE("what the kernel tells of the process is plausible") {
  const ProcessStatus status = read_process_status();
  CHECK(status.resident_bytes > 1'000'000);
  CHECK(status.virtual_bytes >= status.resident_bytes);
  CHECK(status.cpu_seconds > 0);
  CHECK(status.open_fds >= 3);
  CHECK(status.max_fds >= status.open_fds);
  const double now = std::chrono::duration<double>(system_clock::now().time_since_epoch()).count();
  CHECK(status.start_seconds > now - 3600);
  CHECK(status.start_seconds < now + 2);
}

TEST_CASE("a snapshot that there is not has no age") {
  Scrape scrape;
  collect_snapshot(scrape, {}, system_clock::now());
  CHECK(scrape.text().find("age") == std::string::npos);

  Scrape with;
  const auto created = system_clock::time_point(std::chrono::seconds(1000));
  collect_snapshot(with, {.created = created}, created + std::chrono::milliseconds(1500));
  CHECK(with.text().find("waypost_snapshot_age_seconds 1.5\n") != std::string::npos);
}

TEST_CASE("names and units follow Prometheus' conventions") {
  const MetricFamilies families = families_of(everything());
  REQUIRE(families.size() > 20);
  const std::regex name_rule("(coredns|waypost|process)(_[a-z][a-z0-9]*)+");
  const std::regex label_rule("[a-z]+(_[a-z]+)*");
  for (const auto& [name, family] : families) {
    CAPTURE(name);
    CHECK(std::regex_match(name, name_rule));
    CHECK((family.type == "counter") == name.ends_with("_total"));
    // Base units, in full, at the end (or before "_total").
    for (const char* unit : {"_ms", "_milliseconds", "_minutes", "_hours", "_sec", "_kb", "_mb",
                             "_kilobytes", "_megabytes", "_octets", "_percent"}) {
      CHECK_MESSAGE((name + "_").find(std::string(unit) + "_") == std::string::npos, unit);
    }
    for (const char* unit : {"_seconds", "_bytes"}) {
      const std::size_t at = name.find(unit);
      const std::string rest = at == std::string::npos ? "" : name.substr(at + std::strlen(unit));
      CHECK((rest == "" || rest == "_total"));
    }
    CHECK_MESSAGE(family.help.ends_with('.'), family.help);
    for (const std::string& label : family.labels) {
      CHECK_MESSAGE(std::regex_match(label, label_rule), label);
    }
  }
}

TEST_CASE("docs/metrics.md has every metric with its type, labels and meaning, and no other") {
  const MetricFamilies real = families_of(everything());
  const MetricFamilies pages = documented();
  for (const auto& [name, family] : real) {
    REQUIRE_MESSAGE(pages.contains(name), "docs/metrics.md lacks ", name);
    CHECK_MESSAGE(pages.at(name).to_text() == family.to_text(), name);
  }
  for (const auto& [name, family] : pages) {
    CHECK_MESSAGE(real.contains(name), "docs/metrics.md has what does not exist: ", name);
  }
}

TEST_CASE("a kernel's counter that begins anew does not make the total smaller") {
  KernelCount count;
  for (const auto& [now, total] : {std::pair{5U, 5U}, std::pair{5U, 5U}, std::pair{9U, 9U},
                                   std::pair{2U, 11U}, std::pair{0U, 11U}, std::pair{3U, 14U}}) {
    count.read(now);
    CHECK(count.total() == total);
  }
}

}  // namespace waypost::ops
