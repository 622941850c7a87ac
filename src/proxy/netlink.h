// The door to libmnl: netlink messages as they go over the wire, one request at a time.
//
// Not here: what is asked (proxy/conntrack.h, proxy/address_watch.h, proxy/table_fingerprint.h).

#pragma once

#include "base/error.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

struct nlmsghdr;

namespace waypost::proxy {

// A view into a received message; valid as long as that.
struct NetlinkAttribute {
  std::uint16_t type = 0;  // Without the flags for nesting and byte order.
  std::span<const std::uint8_t> payload;

  // In host order, of attributes that are sent in network order, as all of netfilter's are.  0 when
  // the payload is shorter.
  std::uint8_t u8() const noexcept;
  std::uint16_t u16() const noexcept;
  std::uint32_t u32() const noexcept;
  // Visits the attributes nested in this one.  Malformed rests are left out.
  void for_each(const std::function<void(const NetlinkAttribute&)>& visit) const;
};

class NetlinkMessage {
 public:
  explicit NetlinkMessage(const nlmsghdr& header) noexcept : header_(header) {}
  std::uint16_t type() const noexcept;
  // What follows the netlink header.
  std::span<const std::uint8_t> payload() const noexcept;
  // Visits the attributes behind a family header of `header_size` octets.
  void for_each_attribute(std::size_t header_size,
                          const std::function<void(const NetlinkAttribute&)>& visit) const;

 private:
  const nlmsghdr& header_;
};

// Distinct objects may be used from distinct threads.
class NetlinkRequest {
 public:
  // `flags`: NLM_F_…
  NetlinkRequest(unsigned type, unsigned flags);

  // First: the header that the family wants, nfgenmsg or any other.
  void put_netfilter_header(std::uint8_t family);
  void put_header(std::span<const std::uint8_t> header);
  // Then attributes.
  void put(std::uint16_t type, std::span<const std::uint8_t> payload);
  void begin_nested(std::uint16_t type);
  void end_nested();

 private:
  friend class NetlinkSocket;
  nlmsghdr* header() noexcept;
  std::vector<std::uint64_t> octets_;  // Aligned as netlink wants it.
  std::vector<std::size_t> open_;      // Offsets of attributes that are being filled.
};

class NetlinkSocket {
 public:
  enum class More : std::uint8_t { Yes, No };
  using Visit = std::function<More(const NetlinkMessage&)>;

  // `bus`: NETLINK_…; `groups`: a mask of the first 32 multicast groups.
  static Result<NetlinkSocket> open(int bus, unsigned groups = 0);
  ~NetlinkSocket();
  NetlinkSocket(NetlinkSocket&& other) noexcept;
  NetlinkSocket& operator=(NetlinkSocket&&) = delete;

  int fd() const noexcept { return fd_; }

  // Sends and visits what is answered, until the end of the answer or until `visit` has enough;
  // what is left of earlier answers is passed over.  Blocks.  Fails with the kernel's error,
  // NotFound for ENOENT and ENODEV.
  Result<void> exchange(NetlinkRequest& request, const Visit& visit);

  // The two halves.  receive() takes one datagram, waits for it unless `wait` is false, and returns
  // whether the answer goes on; without a datagram it does.  ENOBUFS, messages lost, is an error
  // of kind Exhausted.
  Result<void> send(NetlinkRequest& request);
  Result<More> receive(const Visit& visit, bool wait);

 private:
  NetlinkSocket(int fd, std::uint32_t port) noexcept : fd_(fd), port_(port) {}
  // `only`: the sequence number of the messages that are looked at; none: all are.
  Result<More> take(const Visit& visit, bool wait, std::optional<std::uint32_t> only);

  int fd_;
  std::uint32_t port_;
  std::uint32_t sequence_ = 0;
  std::vector<std::uint64_t> buffer_;
};

}  // namespace waypost::proxy
