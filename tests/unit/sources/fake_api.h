// An API server that follows a script, and a clock that stands still until a test turns it.
//
// A script is a list of steps; each GET takes the next step of its path.  What a reflector asks for
// is written down.  A GET without a step left, and a body that hangs, wait for their time-out.

#pragma once

#include "base/timer.h"
#include "kube/api_transport.h"
#include "sources/kind_status.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::sources {

class FakeTimer final : public Timer {
 public:
  explicit FakeTimer(boost::asio::io_context& context) : context_(context) {}

  SteadyTime now() const noexcept override { return now_; }
  boost::asio::awaitable<void> wait(std::chrono::milliseconds duration) override;

  // Lets everything run that can, then turns the clock to the next wait's end, and so on until
  // `duration` has passed.  Fails the test after too many turns.
  void advance(std::chrono::milliseconds duration);
  // Lets everything run that can without time passing.
  void settle();
  // Wakes everybody, whatever they wait for, until nobody waits.
  void release();

 private:
  boost::asio::io_context& context_;
  SteadyTime now_{std::chrono::hours(1)};
  std::multimap<SteadyTime, boost::asio::steady_timer*> waiting_;
};

struct Step {
  enum class Finish { End, Break, Hang };

  unsigned status = 200;
  std::vector<std::string> pieces;
  Finish finish = Finish::End;
  std::optional<std::chrono::seconds> retry_after;
  bool refuses_connection = false;
};

class FakeApi final : public kube::ApiTransport {
 public:
  explicit FakeApi(Timer& timer) : timer_(timer) {}

  // Adds steps for targets that begin with `path`.
  void script(const std::string& path, std::vector<Step> steps);
  // Adds a piece to the stream that hangs at `path` last.
  void say(const std::string& path, std::string piece);

  boost::asio::awaitable<Result<std::unique_ptr<kube::ApiExchange>>> get(
      std::string target, std::chrono::milliseconds timeout) override;

  // What was asked for since the last call.
  std::vector<std::string> take_targets() { return std::exchange(targets_, {}); }
  std::size_t steps_left() const;

 private:
  class Exchange;

  Timer& timer_;
  std::map<std::string, std::deque<Step>> steps_;
  std::map<std::string, std::shared_ptr<Step>> open_;
  std::vector<std::string> targets_;
};

// Writes down what a source tells people, one line each: "lost Service: …".
class EventLog final : public SourceEvents {
 public:
  void on_bad_object(const std::string& message) override { lines_.push_back("bad " + message); }
  void on_lost(const KindStatus& status, const std::string& message) override;
  void on_restored(const KindStatus& status) override;
  void on_forbidden(const KindStatus& status, const std::string& message,
                    const std::string& rule) override;
  void on_mismatch(const KindStatus& status, const std::string& message) override;
  void on_listed(const KindStatus& status) override;
  void on_synced() override { lines_.push_back("synced"); }

  std::vector<std::string> take() { return std::exchange(lines_, {}); }

 private:
  std::vector<std::string> lines_;
};

// Objects and events as the API server writes them.
std::string service_json(std::string_view name, unsigned version, std::string_view cluster_ip);
std::string slice_json(std::string_view name, std::string_view service, unsigned version,
                       std::string_view address);
std::string namespace_json(std::string_view name, unsigned version);
std::string event(std::string_view type, std::string_view object);
std::string bookmark(std::string_view kind, unsigned version, bool ends_list = false);
std::string list_json(std::string_view kind, unsigned version,
                      const std::vector<std::string>& items,
                      std::string_view rest_of_metadata = "");
std::string status_json(unsigned code, std::string_view reason, std::string_view message);

}  // namespace waypost::sources
