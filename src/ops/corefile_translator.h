// The work behind ops/corefile_options.h: gathers what server blocks say, then puts it together.

#pragma once

#include "corefile/corefile.h"
#include "dns/name.h"
#include "ops/corefile_options.h"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

class Translator {
 public:
  // Reads one line; null in a rule: it stands alone, without arguments and options.
  using Reader = void (Translator::*)(const corefile::Line& line);

  struct Rule : Directive {
    Reader read = nullptr;
  };
  // All of them, in the order of documentation.
  static std::span<const Rule> rules();

  explicit Translator(std::uint16_t port) : port_(port) {}

  CorefileSettings run(corefile::Corefile corefile);

 private:
  struct Zone {
    dns::Name name;
    std::string text;  // Lower case, without final dot; "." for the root.
    corefile::Place place;
  };
  struct Forward {
    std::vector<Zone> zones;  // Within those of the block.
    std::vector<std::string> upstreams;
    std::string policy;       // Empty: none is given.
    bool has_own_ca = false;  // Of `tls`.
    corefile::Place place;

    bool has_choice() const {
      return upstreams.size() > 1 || (upstreams.size() == 1 && upstreams.front().starts_with('/'));
    }
  };
  struct LogEntry {
    Zone zone;            // Within one of the block's.
    std::string queries;  // A class.
    corefile::Place place;
  };
  struct Block {
    std::vector<Zone> zones;                           // Each once.
    std::vector<std::pair<Zone, std::uint16_t>> keys;  // With their ports.
    std::vector<std::string> addresses;                // Of bind; empty: all.
    std::vector<Forward> forwards;
    std::vector<LogEntry> logs;
    std::vector<Zone> cluster;  // The zones of `kubernetes`.
    bool has_kubernetes = false;
    bool has_chaos = false;
    bool has_cache = false;
    bool has_hosts = false;
    std::vector<Zone> answered;  // Zones of which hosts has an answer for all names.
    corefile::Place place;
  };
  struct Given {
    Setting setting;
    corefile::Place place;
  };
  // Of values that caches may give differently, while there is one cache here.
  struct Least {
    std::uint64_t value = 0;
    std::string_view name;  // Of who gave it, "cache denial".
    corefile::Place place;
    bool is_disputed = false;  // Another one gave more.
  };

  // ---- Telling (corefile_translator.cpp)
  void complain(const corefile::Place& place, std::string what);
  void note(const corefile::Place& place, std::string text, bool is_differing);
  // A single value, the same wherever it is given.
  void set(std::string_view key, std::string text, const corefile::Line& line);
  void set(std::string_view key, std::string text, const corefile::Place& place,
           std::string_view name);
  // Values of a list; each once.
  void add(std::string_view key, const std::string& text, const corefile::Place& place,
           std::string_view name);
  void set_empty(std::string_view key, const corefile::Place& place, std::string_view name);
  std::string name_of(const corefile::Line& line) const;

  // ---- Variables of manifests (corefile_variables.cpp)
  void fill_in(corefile::Word& word);
  void fill_in(corefile::Line& line);

  void read_line(const corefile::Line& line);
  void read_options(const corefile::Line& line);
  // False, and a problem, unless there are that many.
  bool has_arguments(const corefile::Line& line, std::size_t least, std::size_t most);
  std::optional<std::uint64_t> number(const corefile::Line& line, std::size_t at);
  std::optional<std::chrono::milliseconds> duration(const corefile::Line& line, std::size_t at);
  void set_duration(std::string_view key, const corefile::Line& line, std::size_t at);
  // Zones that a word stands for; several for a prefix.
  std::vector<Zone> zones_of(const corefile::Word& word, const std::string& text);
  // Whether one of the zones has the name.
  static bool covers(const std::vector<Zone>& zones, const dns::Name& name);
  // Zones of other blocks below one of these.
  std::vector<const Zone*> zones_below(const std::vector<Zone>& zones) const;
  // Each once.
  std::vector<Zone> argument_zones(const corefile::Line& line, std::size_t from);
  static void add_zone(Zone zone, std::vector<Zone>& to);
  // What `zone` has of the names that reach the server block; empty when that is nothing.
  std::vector<Zone> within_block(const Zone& zone) const;
  // Whether no other block has a longer zone with the name.
  bool is_of_block(const dns::Name& name) const;

  // ---- Directives (corefile_rules.cpp, corefile_sources.cpp)
  void read_any(const corefile::Line& line);
  void read_arguments_only(const corefile::Line& line);
  void read_autopath(const corefile::Line& line);
  void read_bufsize(const corefile::Line& line);
  void read_bind(const corefile::Line& line);
  void read_cancel(const corefile::Line& line);
  void read_chaos(const corefile::Line& line);
  void read_errors(const corefile::Line& line);
  void read_debug(const corefile::Line& line);
  void read_health(const corefile::Line& line);
  void read_lameduck(const corefile::Line& line);
  void read_loadbalance(const corefile::Line& line);
  void read_local(const corefile::Line& line);
  void read_nsid(const corefile::Line& line);
  void read_prometheus(const corefile::Line& line);
  void read_ready(const corefile::Line& line);
  void read_status(std::string_view key, const corefile::Line& line, std::string address);
  void read_timeout_read(const corefile::Line& line);
  void read_timeout_write(const corefile::Line& line);
  void read_timeout_idle(const corefile::Line& line);

  void read_kubernetes(const corefile::Line& line);
  void read_endpoint(const corefile::Line& line);
  void read_endpoint_pod_names(const corefile::Line& line);
  void read_fallthrough(const corefile::Line& line);
  void read_ignore(const corefile::Line& line);
  void read_kubeconfig(const corefile::Line& line);
  void read_labels(const corefile::Line& line);
  void read_namespace_labels(const corefile::Line& line);
  void read_namespaces(const corefile::Line& line);
  void read_pods(const corefile::Line& line);
  void read_ttl(const corefile::Line& line);
  void read_upstream(const corefile::Line& line);

  void read_forward(const corefile::Line& line);
  void read_failover(const corefile::Line& line);
  void read_force_tcp(const corefile::Line& line);
  void read_max_concurrent(const corefile::Line& line);
  void read_policy(const corefile::Line& line);
  void read_tls(const corefile::Line& line);
  void read_tls_servername(const corefile::Line& line);

  // ---- The query log (corefile_log.cpp)
  void read_log(const corefile::Line& line);
  void read_log_class(const corefile::Line& line);
  void add_log(const std::vector<Zone>& names, const corefile::Place& place);
  void combine_logs();

  // ---- The cache (corefile_cache.cpp)
  void read_cache(const corefile::Line& line);
  void read_capacity(const corefile::Line& line);
  void read_disable(const corefile::Line& line);
  void read_prefetch(const corefile::Line& line);
  void read_serve_stale(const corefile::Line& line);
  void read_servfail(const corefile::Line& line);
  void take_least(std::string_view key, std::uint64_t value, const corefile::Place& place,
                  std::string_view name);
  void combine_cache();
  void combine_capacity();

  void read_acl(const corefile::Line& line);
  void read_acl_rule(const corefile::Line& line);
  void read_hosts(const corefile::Line& line);
  void read_hosts_fallthrough(const corefile::Line& line);
  void read_hosts_no_reverse(const corefile::Line& line);
  void read_hosts_ttl(const corefile::Line& line);
  void read_rewrite(const corefile::Line& line);
  bool keep_in_block(std::vector<corefile::Word>& words) const;
  void read_template(const corefile::Line& line);
  void read_template_fallthrough(const corefile::Line& line);
  void read_template_match(const corefile::Line& line);
  void read_template_part(const corefile::Line& line);
  // The zones of a rule within those of its server block, which stand for none given.  Empty, and
  // a note, when no name reaches the rule.
  std::vector<Zone> rule_zones(const corefile::Line& line, std::size_t from);
  void add_host(const corefile::Line& line, const std::vector<Zone>& zones, bool has_reverse);
  void combine_hosts();
  std::string scope_words(const std::vector<Zone>& zones) const;
  bool has_name(const std::vector<Zone>& zones, const dns::Name& name) const;
  void check_rules_of_all(const corefile::Line& line);

  // ---- Putting together (corefile_blocks.cpp)
  void read_keys(const corefile::ServerBlock& block);
  struct Reached;
  void combine_listeners();
  void listen_for(const Zone& zone, std::uint16_t port, const Block& block, Reached& reached);
  void combine_cluster();
  void check_other_blocks(const Block& owner, const Zone& zone);
  static bool is_stub_domain(const Block& block, const Zone& other, const Zone& cluster);
  void combine_forwards();
  void combine_policies();
  void close(const Block& block, const Zone& zone);
  void check_authorities();
  std::string to_upstream(const corefile::Word& word);

  const std::uint16_t port_;
  CorefileSettings out_;
  std::map<std::string, Given, std::less<>> given_;
  std::vector<Block> blocks_;
  Block* block_ = nullptr;
  const corefile::Line* parent_ = nullptr;  // The directive whose options are read.

  // Of the `forward` that is being read.
  bool force_tcp_ = false;
  std::string tls_name_;
  std::string policy_;
  bool has_own_ca_ = false;
  std::vector<std::string> log_classes_;  // Of the `log` that is being read.
  // Of the `cache` that is being read, in seconds.
  std::optional<std::uint64_t> success_ttl_;
  std::optional<std::uint64_t> denial_ttl_;
  std::optional<std::uint64_t> success_min_ttl_;
  std::optional<std::uint64_t> denial_min_ttl_;
  // Of the `acl`, the `hosts` and the `template` that is being read.
  std::optional<std::string> acl_zones_;  // In words; none: no name reaches its rules.
  bool hosts_fall_through_ = false;
  std::vector<Zone> hosts_through_;
  std::vector<std::pair<corefile::Place, bool>> hosts_;  // Where, and whether addresses have names.
  struct TemplateParts {
    std::vector<std::string> patterns;
    std::string rest;
    bool falls_through = false;
    std::vector<Zone> through;
  };
  TemplateParts template_;
  // Of all caches.
  std::uint64_t success_capacity_ = 0;  // Answers.
  std::uint64_t denial_capacity_ = 0;
  corefile::Place capacity_place_;
  std::map<std::string_view, Least> least_;                 // By key.
  std::vector<std::pair<Zone, corefile::Place>> uncached_;  // `disable`
  std::vector<Zone> fallthrough_;
  bool falls_through_everywhere_ = false;
};

}  // namespace waypost::ops
