#include "resolver/forwarder.h"

#include "resolver/surroundings.h"
#include "resolver/upstream_set.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace waypost::resolver {
namespace {

namespace asio = boost::asio;

// Stub domains by name: lower case, in wire form.
struct WireHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view wire) const noexcept {
    return static_cast<std::size_t>(dns::hash_name(as_bytes(wire)));
  }
};

std::string key_of(const dns::Name& zone) {
  const dns::Name lowered = zone.lowered();
  return std::string(as_text(lowered.wire()));
}

bool needs_tls(const std::vector<UpstreamAddress>& upstreams) noexcept {
  return std::ranges::any_of(upstreams, [](const UpstreamAddress& upstream) {
    return upstream.transport == Transport::Tls;
  });
}

Result<void> check(const ForwardTable& table) {
  const auto too_many = [](std::size_t count, std::size_t most, std::string_view of) {
    return failure(ErrorKind::InvalidInput,
                   fmt::format("{} {}; expected {} at most", count, of, most));
  };
  if (table.upstreams.size() > Forwarder::MaxUpstreams) {
    return too_many(table.upstreams.size(), Forwarder::MaxUpstreams, "upstreams");
  }
  if (table.stub_domains.size() > Forwarder::MaxStubDomains) {
    return too_many(table.stub_domains.size(), Forwarder::MaxStubDomains, "stub domains");
  }
  std::map<std::string, int> zones;
  for (const StubDomain& stub : table.stub_domains) {
    const std::string name = stub.zone.to_text();
    if (stub.upstreams.empty()) {
      return failure(ErrorKind::InvalidInput, "stub domain " + name + ": it has no upstreams");
    }
    if (stub.upstreams.size() > Forwarder::MaxUpstreams) {
      return too_many(stub.upstreams.size(), Forwarder::MaxUpstreams,
                      "upstreams for stub domain " + name);
    }
    if (++zones[key_of(stub.zone)] > 1) {
      return failure(ErrorKind::InvalidInput, "stub domain " + name + ": it is named twice");
    }
  }
  return {};
}

}  // namespace

struct Forwarder::State {
  State(asio::any_io_executor executor, AlarmClock& clock, Random& random, EventSink on_event)
      : surroundings{.executor = std::move(executor),
                     .clock = clock,
                     .random = random,
                     .on_event = std::move(on_event)},
        by_default(surroundings, dns::Name()) {}

  Result<void> prepare_tls(const ForwarderOptions& options, const ForwardTable& table);
  UpstreamSet* find(const dns::NameKey& name);

  Surroundings surroundings;
  TlsMaterial tls_material;  // Of surroundings.tls.
  UpstreamSet by_default;
  std::unordered_map<std::string, std::unique_ptr<UpstreamSet>, WireHash, std::equal_to<>> stubs;
  std::size_t most_labels = 0;  // Of a stub domain.
};

Result<void> Forwarder::State::prepare_tls(const ForwarderOptions& options,
                                           const ForwardTable& table) {
  const bool is_needed = needs_tls(table.upstreams) ||
                         std::ranges::any_of(table.stub_domains, [](const StubDomain& stub) {
                           return needs_tls(stub.upstreams);
                         });
  const TlsMaterial material{.authority = options.tls_authority,
                             .verifies = options.tls_verifies,
                             .protocol = "dot"};  // RFC 7858's number in the registry of ALPN.
  if (!is_needed || (surroundings.tls && material == tls_material)) {
    return {};
  }
  auto context = make_tls_context(material);
  if (!context) {
    return std::unexpected(with_context(context.error(), "upstreams with TLS"));
  }
  surroundings.tls = std::move(*context);
  tls_material = material;
  return {};
}

// The longest stub domain that owns the name.
UpstreamSet* Forwarder::State::find(const dns::NameKey& name) {
  if (!stubs.empty()) {
    const std::size_t labels = name.label_count;
    for (std::size_t i = labels - std::min(labels, most_labels); i <= labels; ++i) {
      if (const auto found = stubs.find(as_text(name.suffix(i))); found != stubs.end()) {
        return found->second.get();
      }
    }
  }
  return &by_default;
}

Forwarder::Forwarder(asio::any_io_executor executor, AlarmClock& clock, Random& random,
                     EventSink on_event)
    : state_(std::make_unique<State>(std::move(executor), clock, random, std::move(on_event))) {}

Forwarder::~Forwarder() {
  for (const auto& [zone, set] : state_->stubs) {
    set->stop();
  }
  state_->by_default.stop();
}

Result<void> Forwarder::configure(const ForwarderOptions& options, const ForwardTable& table) {
  if (auto checked = check(table); !checked) {
    return checked;
  }
  if (auto prepared = state_->prepare_tls(options, table); !prepared) {
    return prepared;
  }
  state_->surroundings.options = options;
  state_->by_default.replace(table.upstreams);

  auto before = std::exchange(state_->stubs, {});
  state_->most_labels = 0;
  for (const StubDomain& stub : table.stub_domains) {
    const std::string key = key_of(stub.zone);
    auto known = before.extract(key);
    auto set = known.empty() ? std::make_unique<UpstreamSet>(state_->surroundings, stub.zone)
                             : std::move(known.mapped());
    set->replace(stub.upstreams);
    state_->stubs.emplace(key, std::move(set));
    state_->most_labels = std::max(state_->most_labels, stub.zone.label_count());
  }
  for (const auto& [zone, set] : before) {
    set->stop();
  }
  return {};
}

bool Forwarder::has_upstreams(const dns::NameKey& name) const noexcept {
  return !state_->find(name)->is_empty();
}

void Forwarder::ask(const Question& question, Effort effort, Completion done) {
  state_->find(question.name)->ask(question, effort, std::move(done));
}

asio::awaitable<Reply> Forwarder::ask(Question question, Effort effort) {
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(Reply)>(
      [this, &question, effort](auto handler) {
        // A Completion can be copied, and a coroutine's handler cannot.
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        ask(question, effort, [shared](Reply reply) { std::move (*shared)(std::move(reply)); });
      },
      asio::use_awaitable);
}

bool Forwarder::is_probe(const Question& question) {
  return state_->find(question.name)->take_probe(question);
}

std::uint64_t Forwarder::without_good_upstream() const noexcept {
  return state_->surroundings.without_good.value();
}

std::vector<UpstreamReport> Forwarder::report() const {
  std::vector<const UpstreamSet*> sets;
  for (const auto& [zone, set] : state_->stubs) {
    sets.push_back(set.get());
  }
  std::ranges::sort(sets, {}, [](const UpstreamSet* set) { return set->zone().to_text(); });
  std::vector<UpstreamReport> all;
  state_->by_default.report(all);
  for (const UpstreamSet* const set : sets) {
    set->report(all);
  }
  return all;
}

}  // namespace waypost::resolver
