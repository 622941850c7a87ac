// A clock for alarms that stands still until a test turns it.

#pragma once

#include "base/alarm.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <stdexcept>

namespace waypost::test {

class TurnedClock final : public AlarmClock {
 public:
  explicit TurnedClock(boost::asio::io_context& context) : context_(context) {
    using boost::asio::ip::udp;
    const udp::endpoint any(boost::asio::ip::address_v4::loopback(), 0);
    messenger_.open(any.protocol());
    messenger_.bind(any);
    messenger_.connect(messenger_.local_endpoint());
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    ::setsockopt(messenger_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }

  Time now() const noexcept override { return now_; }

  // Runs what can be run until `holds`, without time passing on this clock.  False when that takes
  // more than a few real seconds: then it does not hold.
  bool until(const std::function<bool()>& holds) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > limit) {
        return false;
      }
      if (!step()) {
        context_.restart();
        context_.run_one_for(std::chrono::milliseconds(1));
      }
    }
    return true;
  }

  // Runs what can be run without time passing.
  void settle() {
    for (int quiet = 0; quiet < 3;) {
      quiet = step() ? 0 : quiet + 1;
    }
  }

  // Lets time pass, alarm by alarm.
  void turn(std::chrono::milliseconds duration) {
    const Time end = now_ + duration;
    settle();
    for (auto next = earliest(); next && *next <= end; next = earliest()) {
      now_ = std::max(now_, *next);
      settle();
    }
    now_ = end;
    settle();
  }

 private:
  void on_earlier(Time) override {}

  bool step() {
    const auto due = earliest();
    const bool rings = due && *due <= now_;
    if (rings) {
      ring(now_);
    }
    wait_for_loopback();
    context_.restart();
    return context_.poll() != 0 || rings;
  }

  // The loopback hands packets over in their order: when this one has come, those that were sent
  // before it have, however busy the machine is.
  void wait_for_loopback() {
    std::array<char, 1> octet{};
    messenger_.send(boost::asio::buffer(octet));
    if (::recv(messenger_.native_handle(), octet.data(), octet.size(), 0) != 1) {
      throw std::runtime_error("the loopback hands nothing over");
    }
  }

  boost::asio::io_context& context_;
  boost::asio::io_context own_;
  boost::asio::ip::udp::socket messenger_{own_};
  Time now_{std::chrono::hours(1)};
};

}  // namespace waypost::test
