// What all parts of a Forwarder share.  Inside this room only.

#pragma once

#include "base/alarm.h"
#include "base/counter.h"
#include "base/random.h"
#include "base/tls.h"
#include "dns/response.h"
#include "resolver/forwarder.h"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace waypost::resolver {

// Everything runs on the executor's thread.  Outlives what refers to it.
struct Surroundings {
  boost::asio::any_io_executor executor;
  AlarmClock& clock;
  Random& random;
  Forwarder::EventSink on_event;
  ForwarderOptions options;
  TlsContext tls;        // Null while no upstream has ever needed it.
  Counter without_good;  // As Forwarder::without_good_upstream().
  // What is being read; large.
  std::unique_ptr<dns::Response> response = std::make_unique<dns::Response>();
};

}  // namespace waypost::resolver
