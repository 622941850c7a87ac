#include "proxy/address_watch.h"

#include "base/log.h"
#include "proxy/netlink.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>

namespace waypost::proxy {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::chrono::milliseconds BurstTime{20};
constexpr std::chrono::seconds RetryTime{1};

// Of all interfaces, or of the one that is named.
Result<std::vector<IpAddress>> read_addresses(std::optional<unsigned> interface,
                                              NetlinkSocket& socket) {
  NetlinkRequest request(RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP);
  const ifaddrmsg everything{};
  std::uint8_t header[sizeof(everything)];
  std::memcpy(header, &everything, sizeof(everything));
  request.put_header(header);
  std::vector<IpAddress> addresses;
  const Result<void> asked = socket.exchange(request, [&](const NetlinkMessage& message) {
    ifaddrmsg about{};
    if (message.payload().size() < sizeof(about)) {
      return NetlinkSocket::More::Yes;
    }
    std::memcpy(&about, message.payload().data(), sizeof(about));
    if (interface && about.ifa_index != *interface) {
      return NetlinkSocket::More::Yes;
    }
    NetlinkAttribute address;  // IFA_LOCAL where present: on a point-to-point link IFA_ADDRESS is
                               // the peer's (linux/if_addr.h).
    message.for_each_attribute(sizeof(ifaddrmsg), [&](const NetlinkAttribute& attribute) {
      if (attribute.type == IFA_LOCAL || (attribute.type == IFA_ADDRESS && address.type == 0)) {
        address = attribute;
      }
    });
    if (address.payload.size() == 4 || address.payload.size() == 16) {
      addresses.push_back(IpAddress::from_octets(address.payload));
    }
    return NetlinkSocket::More::Yes;
  });
  if (!asked) {
    return std::unexpected(asked.error());
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

}  // namespace

Result<std::vector<IpAddress>> own_addresses() {
  auto socket = NetlinkSocket::open(NETLINK_ROUTE);
  return socket ? read_addresses(std::nullopt, *socket) : std::unexpected(socket.error());
}

Result<std::vector<IpAddress>> addresses_of(unsigned interface, NetlinkSocket& socket) {
  return read_addresses(interface, socket);
}

class AddressWatch::State : public std::enable_shared_from_this<State> {
 public:
  State(asio::io_context& context, NetlinkSocket socket, Changed changed, Read read)
      : socket_(std::move(socket)),
        readable_(context, socket_.fd()),
        pause_(context),
        changed_(std::move(changed)),
        read_(std::move(read)) {}
  ~State() { (void)readable_.release(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Result<void> read() {
    auto addresses = read_();
    if (!addresses) {
      return std::unexpected(addresses.error());
    }
    addresses_ = std::move(*addresses);
    return {};
  }

  void wait() {
    readable_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [weak = weak_from_this()](const error_code& ec) {
                           const auto self = weak.lock();
                           if (self && !ec) {
                             self->on_readable();
                           }
                         });
  }

  void stop() noexcept {
    error_code ignored;
    readable_.cancel(ignored);
    pause_.cancel();
    changed_ = nullptr;
  }

  const std::vector<IpAddress>& addresses() const noexcept { return addresses_; }

 private:
  // What the messages say does not matter: all addresses are read again, also when some were lost
  // or cannot be read.
  void on_readable() {
    std::ignore =
        socket_.receive([](const NetlinkMessage&) { return NetlinkSocket::More::Yes; }, false);
    if (!is_waiting_) {
      read_after(BurstTime);
    }
    wait();
  }

  void read_after(std::chrono::milliseconds time) {
    is_waiting_ = true;
    pause_.expires_after(time);
    pause_.async_wait([weak = weak_from_this()](const error_code& ec) {
      const auto self = weak.lock();
      if (self && !ec) {
        self->on_pause_over();
      }
    });
  }

  void on_pause_over() {
    is_waiting_ = false;
    const std::vector<IpAddress> before = addresses_;
    if (const Result<void> done = read(); !done) {
      if (!std::exchange(is_failing_, true)) {
        log::warn("own addresses: {}; trying every second", done.error().message);
      }
      read_after(RetryTime);
      return;
    }
    if (std::exchange(is_failing_, false)) {
      log::info("own addresses: can be read again");
    }
    if (addresses_ != before && changed_) {
      changed_(addresses_);
    }
  }

  NetlinkSocket socket_;
  asio::posix::stream_descriptor readable_;  // Borrows the socket.
  asio::steady_timer pause_;                 // A burst's, or after a failure.
  Changed changed_;
  Read read_;
  std::vector<IpAddress> addresses_;
  bool is_waiting_ = false;  // For the pause's end.
  bool is_failing_ = false;  // Told already.
};

Result<AddressWatch> AddressWatch::start(asio::io_context& context, Changed changed, Read read) {
  auto socket =
      NetlinkSocket::open(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
  if (!socket) {
    return std::unexpected(socket.error());
  }
  auto state =
      std::make_shared<State>(context, std::move(*socket), std::move(changed), std::move(read));
  state->wait();  // Before reading, so that no change falls between.
  if (auto known = state->read(); !known) {
    return std::unexpected(known.error());
  }
  return AddressWatch(std::move(state));
}

AddressWatch::AddressWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}
AddressWatch::AddressWatch(AddressWatch&&) noexcept = default;
AddressWatch::~AddressWatch() {
  if (state_) {
    state_->stop();
  }
}

const std::vector<IpAddress>& AddressWatch::addresses() const noexcept {
  return state_->addresses();
}

}  // namespace waypost::proxy
