#include "proxy/netlink.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

namespace waypost::proxy {
namespace {

// As large as the kernel fills for a dump (NLMSG_GOODSIZE is at most two pages; dumps use 32 KiB).
constexpr std::size_t ReceiveSize = 32768;
// Requests of this project are far smaller.
constexpr std::size_t RequestSize = 1024;

std::uint16_t plain_type(const nlattr* attribute) noexcept {
  return mnl_attr_get_type(attribute);
}

NetlinkAttribute view(const nlattr* attribute) noexcept {
  return {plain_type(attribute),
          {static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)),
           mnl_attr_get_payload_len(attribute)}};
}

// Visits attributes in `size` octets at `begin`.
void visit_attributes(const void* begin, std::size_t size,
                      const std::function<void(const NetlinkAttribute&)>& visit) {
  const auto* attribute = static_cast<const nlattr*>(begin);
  auto left = static_cast<int>(size);
  while (mnl_attr_ok(attribute, left)) {
    visit(view(attribute));
    left -= static_cast<int>(MNL_ALIGN(attribute->nla_len));
    attribute = mnl_attr_next(attribute);
  }
}

std::unexpected<Error> kernel_failure(int code) {
  const bool is_absent = code == ENOENT || code == ENODEV;  // ENODEV: a link.
  return failure(is_absent ? ErrorKind::NotFound : ErrorKind::System,
                 "netlink: " + std::generic_category().message(code));
}

}  // namespace

std::uint8_t NetlinkAttribute::u8() const noexcept {
  return payload.empty() ? std::uint8_t{0} : payload[0];
}

std::uint16_t NetlinkAttribute::u16() const noexcept {
  std::uint16_t value = 0;
  if (payload.size() >= sizeof(value)) {
    std::memcpy(&value, payload.data(), sizeof(value));
  }
  return ntohs(value);
}

std::uint32_t NetlinkAttribute::u32() const noexcept {
  std::uint32_t value = 0;
  if (payload.size() >= sizeof(value)) {
    std::memcpy(&value, payload.data(), sizeof(value));
  }
  return ntohl(value);
}

void NetlinkAttribute::for_each(const std::function<void(const NetlinkAttribute&)>& visit) const {
  visit_attributes(payload.data(), payload.size(), visit);
}

std::uint16_t NetlinkMessage::type() const noexcept {
  return header_.nlmsg_type;
}

std::span<const std::uint8_t> NetlinkMessage::payload() const noexcept {
  return {static_cast<const std::uint8_t*>(mnl_nlmsg_get_payload(&header_)),
          mnl_nlmsg_get_payload_len(&header_)};
}

void NetlinkMessage::for_each_attribute(
    std::size_t header_size, const std::function<void(const NetlinkAttribute&)>& visit) const {
  const std::size_t skipped = MNL_ALIGN(header_size);
  const auto all = payload();
  if (all.size() > skipped) {
    visit_attributes(all.data() + skipped, all.size() - skipped, visit);
  }
}

// ---- NetlinkRequest ---------------------------------------------------------------------------

NetlinkRequest::NetlinkRequest(unsigned type, unsigned flags)
    : octets_(RequestSize / sizeof(std::uint64_t)) {
  nlmsghdr* made = mnl_nlmsg_put_header(octets_.data());
  made->nlmsg_type = static_cast<std::uint16_t>(type);
  made->nlmsg_flags = static_cast<std::uint16_t>(flags);
}

nlmsghdr* NetlinkRequest::header() noexcept {
  return reinterpret_cast<nlmsghdr*>(octets_.data());
}

void NetlinkRequest::put_netfilter_header(std::uint8_t family) {
  const nfgenmsg header{.nfgen_family = family, .version = NFNETLINK_V0, .res_id = 0};
  std::uint8_t octets[sizeof(header)];
  std::memcpy(octets, &header, sizeof(header));
  put_header(octets);
}

void NetlinkRequest::put_header(std::span<const std::uint8_t> header) {
  void* place = mnl_nlmsg_put_extra_header(this->header(), header.size());
  std::memcpy(place, header.data(), header.size());
}

void NetlinkRequest::put(std::uint16_t type, std::span<const std::uint8_t> payload) {
  mnl_attr_put(header(), type, payload.size(), payload.data());
}

void NetlinkRequest::begin_nested(std::uint16_t type) {
  const nlattr* nest = mnl_attr_nest_start(header(), type);
  open_.push_back(static_cast<std::size_t>(reinterpret_cast<const std::uint8_t*>(nest) -
                                           reinterpret_cast<std::uint8_t*>(octets_.data())));
}

void NetlinkRequest::end_nested() {
  auto* octets = reinterpret_cast<std::uint8_t*>(octets_.data());
  mnl_attr_nest_end(header(), reinterpret_cast<nlattr*>(octets + open_.back()));
  open_.pop_back();
}

// ---- NetlinkSocket ----------------------------------------------------------------------------

Result<NetlinkSocket> NetlinkSocket::open(int bus, unsigned groups) {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, bus);
  if (fd < 0) {
    return system_failure("netlink socket");
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = groups;
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd, generic, size) != 0 || ::getsockname(fd, generic, &size) != 0) {
    auto failed = system_failure("netlink socket");
    ::close(fd);
    return failed;
  }
  return NetlinkSocket(fd, address.nl_pid);
}

NetlinkSocket::~NetlinkSocket() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

NetlinkSocket::NetlinkSocket(NetlinkSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      port_(other.port_),
      sequence_(other.sequence_),
      buffer_(std::move(other.buffer_)) {}

Result<void> NetlinkSocket::send(NetlinkRequest& request) {
  nlmsghdr* header = request.header();
  header->nlmsg_seq = ++sequence_;
  if (::send(fd_, header, header->nlmsg_len, 0) < 0) {
    return system_failure("netlink send");
  }
  return {};
}

Result<NetlinkSocket::More> NetlinkSocket::receive(const Visit& visit, bool wait) {
  return take(visit, wait, std::nullopt);
}

Result<NetlinkSocket::More> NetlinkSocket::take(const Visit& visit, bool wait,
                                                std::optional<std::uint32_t> only) {
  buffer_.resize(ReceiveSize / sizeof(std::uint64_t));
  const ssize_t size = ::recv(fd_, buffer_.data(), ReceiveSize, wait ? 0 : MSG_DONTWAIT);
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) {
      return More::Yes;
    }
    if (errno == ENOBUFS) {
      return failure(ErrorKind::Exhausted, "netlink: messages were lost");
    }
    return system_failure("netlink receive");
  }
  const auto* header = reinterpret_cast<const nlmsghdr*>(buffer_.data());
  auto left = static_cast<int>(size);
  for (; mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
    if (only && header->nlmsg_seq != *only) {
      continue;
    }
    if (header->nlmsg_type == NLMSG_DONE) {
      return More::No;
    }
    if (header->nlmsg_type == NLMSG_ERROR) {
      const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
      if (mnl_nlmsg_get_payload_len(header) >= sizeof(nlmsgerr) && error->error != 0) {
        return kernel_failure(-error->error);
      }
      return More::No;  // An acknowledgment.
    }
    if (header->nlmsg_type >= NLMSG_MIN_TYPE && visit(NetlinkMessage(*header)) == More::No) {
      return More::No;
    }
  }
  return More::Yes;
}

Result<void> NetlinkSocket::exchange(NetlinkRequest& request, const Visit& visit) {
  if (auto sent = send(request); !sent) {
    return sent;
  }
  for (;;) {
    const Result<More> more = take(visit, true, sequence_);
    if (!more) {
      return std::unexpected(more.error());
    }
    if (*more == More::No) {
      return {};
    }
  }
}

}  // namespace waypost::proxy
