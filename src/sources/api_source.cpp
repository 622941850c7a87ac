#include "sources/api_source.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <utility>

namespace waypost::sources {

namespace asio = boost::asio;
using kube::ObjectKind;

std::vector<KindRequest> kinds_for_names(bool pods, bool service_labels) {
  constexpr kube::DecodeOptions Bare{.labels = false, .selectors = false};
  std::vector<KindRequest> kinds{
      {.kind = ObjectKind::Namespace},
      {.kind = ObjectKind::Service, .decode = {.labels = service_labels, .selectors = false}},
      {.kind = ObjectKind::EndpointSlice, .decode = Bare}};
  if (pods) {
    kinds.push_back({.kind = ObjectKind::Pod, .decode = Bare});
  }
  return kinds;
}

// Lives as long as the source or one of its coroutines; once `is_stopped`, coroutines touch nothing
// outside of it.
struct ApiSource::State final : SourceEvents, std::enable_shared_from_this<State> {
  State(asio::io_context& in, ApiOptions wanted, std::unique_ptr<kube::ApiTransport> from,
        std::unique_ptr<Timer> clock, cache::ServiceCache& into, SourceEvents& to)
      : context(in),
        transport(std::move(from)),
        timer(std::move(clock)),
        cache(into),
        events(to),
        implied(*this) {
    std::random_device random;
    for (KindRequest& kind : wanted.kinds) {
      reflectors.push_back(std::make_unique<Reflector>(
          ReflectorContext{*transport, *timer, cache, *this, is_stopped}, std::move(kind),
          wanted.reflector, random()));
    }
  }

  void settle();
  void imply_namespaces();

  void on_bad_object(const std::string& message) override { events.on_bad_object(message); }
  void on_lost(const KindStatus& status, const std::string& message) override {
    events.on_lost(status, message);
  }
  void on_restored(const KindStatus& status) override { events.on_restored(status); }
  void on_mismatch(const KindStatus& status, const std::string& message) override {
    events.on_mismatch(status, message);
  }
  void on_forbidden(const KindStatus& status, const std::string& message,
                    const std::string& rule) override;
  void on_listed(const KindStatus& status) override;
  void on_synced() override {}  // No single kind is the world.

  // Notes the namespaces of Services that nobody told of.
  class Implied final : public cache::Consumer {
   public:
    explicit Implied(State& state) : state_(state) {}
    void on_service(const cache::ServiceDelta& delta) override;
    void on_namespace(const cache::ObjectDelta<kube::Namespace>&) override {}
    void on_pod(const cache::ObjectDelta<kube::Pod>&) override {}
    void on_synced() override {}
    void on_resource_version(std::uint64_t) override {}

    std::set<std::string> names;
    bool is_subscribed = false;

   private:
    State& state_;
  };

  asio::io_context& context;
  const std::unique_ptr<kube::ApiTransport> transport;
  const std::unique_ptr<Timer> timer;
  cache::ServiceCache& cache;
  SourceEvents& events;
  bool is_stopped = false;
  bool is_synced = false;
  Implied implied;
  std::vector<std::unique_ptr<Reflector>> reflectors;
};

void ApiSource::State::on_listed(const KindStatus& status) {
  if (status.kind == ObjectKind::Namespace && std::exchange(implied.is_subscribed, false)) {
    cache.unsubscribe(implied);  // The list took over, and erased what it does not have.
    implied.names.clear();
  }
  events.on_listed(status);
  settle();
}

void ApiSource::State::on_forbidden(const KindStatus& status, const std::string& message,
                                    const std::string& rule) {
  events.on_forbidden(status, message, rule);
  if (status.kind == ObjectKind::Namespace && !status.is_listed &&
      !std::exchange(implied.is_subscribed, true)) {
    cache.subscribe(implied);
  }
  settle();
}

void ApiSource::State::settle() {
  const auto is_settled = [](const std::unique_ptr<Reflector>& reflector) {
    const KindStatus& status = reflector->status();
    const bool is_needed =
        status.kind == ObjectKind::Service || status.kind == ObjectKind::EndpointSlice;
    return status.is_listed || (status.is_forbidden && !is_needed);
  };
  if (!is_synced && std::all_of(reflectors.begin(), reflectors.end(), is_settled)) {
    imply_namespaces();
    is_synced = true;
    cache.set_synced();
    events.on_synced();
  }
}

void ApiSource::State::Implied::on_service(const cache::ServiceDelta& delta) {
  if (delta.after.service == nullptr || !names.insert(delta.key.name_space).second) {
    return;
  }
  // The cache is not to be changed from here.
  asio::post(state_.context, [state = state_.shared_from_this()] {
    if (!state->is_stopped) {
      state->imply_namespaces();
    }
  });
}

void ApiSource::State::imply_namespaces() {
  for (const std::string& name : implied.names) {
    if (cache.find_namespace(name) == nullptr) {
      cache.put(kube::Namespace{.name = name, .resource_version = 0, .labels = {}});
    }
  }
}

ApiSource::ApiSource(asio::io_context& context, ApiOptions options,
                     std::unique_ptr<kube::ApiTransport> transport, std::unique_ptr<Timer> timer,
                     cache::ServiceCache& cache, SourceEvents& events)
    : state_(std::make_shared<State>(context, std::move(options), std::move(transport),
                                     std::move(timer), cache, events)) {}

ApiSource::~ApiSource() {
  state_->is_stopped = true;
  if (state_->implied.is_subscribed) {
    state_->cache.unsubscribe(state_->implied);
  }
}

void ApiSource::start() {
  for (const auto& reflector : state_->reflectors) {
    const auto spawn = [&](auto run) {
      asio::co_spawn(
          state_->context,
          []([[maybe_unused]] std::shared_ptr<State> state, Reflector* self, auto body)
              -> asio::awaitable<void> { co_await (self->*body)(); }(state_, reflector.get(), run),
          asio::detached);
    };
    spawn(&Reflector::follow);
    spawn(&Reflector::audit);
  }
}

bool ApiSource::is_synced() const noexcept {
  return state_->is_synced;
}

std::vector<const KindStatus*> ApiSource::statuses() const {
  std::vector<const KindStatus*> statuses;
  for (const auto& reflector : state_->reflectors) {
    statuses.push_back(&reflector->status());
  }
  return statuses;
}

std::optional<std::chrono::milliseconds> ApiSource::age() const {
  if (!state_->is_synced) {
    return std::nullopt;
  }
  std::chrono::milliseconds oldest{0};
  for (const auto& reflector : state_->reflectors) {
    oldest = std::max(oldest, reflector->status().age(state_->timer->now()).value_or(oldest));
  }
  return oldest;
}

}  // namespace waypost::sources
