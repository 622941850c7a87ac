#include "fake_api.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>
#include <spdlog/fmt/fmt.h>

namespace waypost::sources {

namespace asio = boost::asio;

asio::awaitable<void> FakeTimer::wait(std::chrono::milliseconds duration) {
  asio::steady_timer timer(context_, SteadyTime::max());
  const auto at = waiting_.emplace(now_ + duration, &timer);
  struct Leave {
    FakeTimer& self;
    std::multimap<SteadyTime, asio::steady_timer*>::iterator at;
    bool is_left = false;
    ~Leave() {
      // A frame that dies while it waits is still on the list; advance() takes off what it wakes.
      if (!is_left) {
        self.waiting_.erase(at);
      }
    }
  } leave{*this, at};
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  leave.is_left = true;
}

void FakeTimer::settle() {
  context_.restart();
  for (int turns = 0; context_.poll_one() != 0; ++turns) {
    REQUIRE(turns < 1'000'000);
  }
}

void FakeTimer::advance(std::chrono::milliseconds duration) {
  const SteadyTime end = now_ + duration;
  settle();
  for (int turns = 0; !waiting_.empty() && waiting_.begin()->first <= end; ++turns) {
    REQUIRE(turns < 10'000);
    const auto [at, timer] = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    now_ = at;
    timer->cancel();
    settle();
  }
  now_ = end;
}

void FakeTimer::release() {
  now_ += std::chrono::hours(1000);
  settle();
  for (int turns = 0; !waiting_.empty(); ++turns) {
    REQUIRE(turns < 10'000);
    waiting_.begin()->second->cancel();
    waiting_.erase(waiting_.begin());
    settle();
  }
}

class FakeApi::Exchange final : public kube::ApiExchange {
 public:
  Exchange(std::shared_ptr<Step> step, Timer& timer) : step_(std::move(step)), timer_(timer) {}

  unsigned status() const noexcept override { return step_->status; }
  std::optional<std::chrono::seconds> retry_after() const noexcept override {
    return step_->retry_after;
  }
  asio::awaitable<Result<std::string_view>> read(std::chrono::milliseconds timeout) override {
    const SteadyTime deadline = timer_.now() + timeout;
    for (;;) {
      if (at_ < step_->pieces.size()) {
        piece_ = step_->pieces[at_++];
        co_return std::string_view(piece_);
      }
      if (step_->finish == Step::Finish::End) {
        co_return std::string_view();
      }
      if (step_->finish == Step::Finish::Break) {
        co_return failure(ErrorKind::System, "connection reset");
      }
      if (timer_.now() >= deadline) {
        co_return failure(ErrorKind::Exhausted, "nothing came");
      }
      co_await timer_.wait(std::chrono::milliseconds(1000));
    }
  }

 private:
  std::shared_ptr<Step> step_;
  Timer& timer_;
  std::size_t at_ = 0;
  std::string piece_;
};

void FakeApi::script(const std::string& path, std::vector<Step> steps) {
  for (Step& step : steps) {
    steps_[path].push_back(std::move(step));
  }
}

void FakeApi::say(const std::string& path, std::string piece) {
  REQUIRE(open_.contains(path));
  open_[path]->pieces.push_back(std::move(piece));
}

asio::awaitable<Result<std::unique_ptr<kube::ApiExchange>>> FakeApi::get(
    std::string target, std::chrono::milliseconds timeout) {
  targets_.push_back(target);
  const std::string path = target.substr(0, target.find('?'));
  std::deque<Step>& steps = steps_[path];
  if (steps.empty()) {
    co_await timer_.wait(timeout);
    co_return failure(ErrorKind::Exhausted, "no answer");
  }
  auto step = std::make_shared<Step>(std::move(steps.front()));
  steps.pop_front();
  if (step->refuses_connection) {
    co_return failure(ErrorKind::System, "connection refused");
  }
  if (target.find("watch=true") != std::string::npos) {
    open_[path] = step;
  }
  co_return std::make_unique<Exchange>(std::move(step), timer_);
}

std::size_t FakeApi::steps_left() const {
  std::size_t left = 0;
  for (const auto& [path, steps] : steps_) {
    left += steps.size();
  }
  return left;
}

void EventLog::on_lost(const KindStatus& status, const std::string& message) {
  lines_.push_back(fmt::format("lost {}: {}", kube::to_text(status.kind), message));
}
void EventLog::on_restored(const KindStatus& status) {
  lines_.push_back(fmt::format("restored {}", kube::to_text(status.kind)));
}
void EventLog::on_forbidden(const KindStatus& status, const std::string& message,
                            const std::string& rule) {
  lines_.push_back(fmt::format("forbidden {}: {}; {}", kube::to_text(status.kind), message, rule));
}
void EventLog::on_mismatch(const KindStatus& status, const std::string& message) {
  lines_.push_back(fmt::format("mismatch {}: {}", kube::to_text(status.kind), message));
}
void EventLog::on_listed(const KindStatus& status) {
  lines_.push_back(fmt::format("listed {} {}", status.objects, kube::to_text(status.kind)));
}

std::string service_json(std::string_view name, unsigned version, std::string_view cluster_ip) {
  return fmt::format(
      R"({{"kind":"Service","apiVersion":"v1","metadata":{{"name":"{0}","namespace":"shop",)"
      R"("resourceVersion":"{1}","managedFields":[{{"manager":"kubectl","fieldsV1":{{"f:spec":{{}}}}}}]}},)"
      R"("spec":{{"ports":[{{"name":"http","protocol":"TCP","port":80,"targetPort":8080}}],)"
      R"("clusterIP":"{2}","clusterIPs":["{2}"],"type":"ClusterIP","ipFamilies":["IPv4"],)"
      R"("ipFamilyPolicy":"SingleStack"}},"status":{{"loadBalancer":{{}}}}}})",
      name, version, cluster_ip);
}

std::string slice_json(std::string_view name, std::string_view service, unsigned version,
                       std::string_view address) {
  return fmt::format(
      R"({{"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{{"name":"{}",)"
      R"("namespace":"shop","resourceVersion":"{}","labels":{{"kubernetes.io/service-name":"{}"}}}},)"
      R"("addressType":"IPv4","endpoints":[{{"addresses":["{}"],"conditions":{{"ready":true}}}}],)"
      R"("ports":[{{"name":"http","protocol":"TCP","port":8080}}]}})",
      name, version, service, address);
}

std::string namespace_json(std::string_view name, unsigned version) {
  return fmt::format(
      R"({{"kind":"Namespace","apiVersion":"v1","metadata":{{"name":"{}","resourceVersion":"{}"}}}})",
      name, version);
}

std::string event(std::string_view type, std::string_view object) {
  return fmt::format("{{\"type\":\"{}\",\"object\":{}}}\n", type, object);
}

std::string bookmark(std::string_view kind, unsigned version, bool ends_list) {
  return event(
      "BOOKMARK",
      fmt::format(R"({{"kind":"{}","apiVersion":"v1","metadata":{{"resourceVersion":"{}"{}}}}})",
                  kind, version,
                  ends_list ? R"(,"annotations":{"k8s.io/initial-events-end":"true"})" : ""));
}

std::string list_json(std::string_view kind, unsigned version,
                      const std::vector<std::string>& items, std::string_view rest_of_metadata) {
  return fmt::format(
      R"({{"kind":"{}List","apiVersion":"v1","metadata":{{"resourceVersion":"{}"{}}},"items":[{}]}})",
      kind, version, rest_of_metadata, fmt::join(items, ","));
}

std::string status_json(unsigned code, std::string_view reason, std::string_view message) {
  return fmt::format(
      R"({{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{}",)"
      R"("reason":"{}","code":{}}})",
      message, reason, code);
}

}  // namespace waypost::sources
