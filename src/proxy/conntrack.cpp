#include "proxy/conntrack.h"

#include "proxy/netlink.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

namespace waypost::proxy {
namespace {

namespace asio = boost::asio;

constexpr auto Quietly = asio::as_tuple(asio::use_awaitable);

constexpr unsigned message_type(unsigned operation) noexcept {
  return NFNL_SUBSYS_CTNETLINK << 8 | operation;
}

std::uint8_t number_of(kube::IpFamily family) noexcept {
  return family == kube::IpFamily::V4 ? AF_INET : AF_INET6;
}

std::optional<kube::Protocol> protocol_of(std::uint8_t number) noexcept {
  switch (number) {
    case IPPROTO_TCP:
      return kube::Protocol::Tcp;
    case IPPROTO_UDP:
      return kube::Protocol::Udp;
    case IPPROTO_SCTP:
      return kube::Protocol::Sctp;
    default:
      return std::nullopt;
  }
}

struct Tuple {
  std::uint8_t protocol = 0;
  SocketAddress from;
  SocketAddress to;
};

// CTA_TUPLE_ORIG or CTA_TUPLE_REPLY.
Tuple read_tuple(const NetlinkAttribute& tuple) {
  Tuple read;
  tuple.for_each([&](const NetlinkAttribute& part) {
    if (part.type == CTA_TUPLE_IP) {
      part.for_each([&](const NetlinkAttribute& address) {
        if (address.payload.size() != 4 && address.payload.size() != 16) {
          return;
        }
        if (address.type == CTA_IP_V4_SRC || address.type == CTA_IP_V6_SRC) {
          read.from.address = IpAddress::from_octets(address.payload);
        } else if (address.type == CTA_IP_V4_DST || address.type == CTA_IP_V6_DST) {
          read.to.address = IpAddress::from_octets(address.payload);
        }
      });
    } else if (part.type == CTA_TUPLE_PROTO) {
      part.for_each([&](const NetlinkAttribute& field) {
        if (field.type == CTA_PROTO_NUM) {
          read.protocol = field.u8();
        } else if (field.type == CTA_PROTO_SRC_PORT) {
          read.from.port = field.u16();
        } else if (field.type == CTA_PROTO_DST_PORT) {
          read.to.port = field.u16();
        }
      });
    }
  });
  return read;
}

std::uint8_t read_tcp_state(const NetlinkAttribute& protocol_info) {
  std::uint8_t state = TCP_CONNTRACK_NONE;
  protocol_info.for_each([&](const NetlinkAttribute& tcp) {
    if (tcp.type == CTA_PROTOINFO_TCP) {
      tcp.for_each([&](const NetlinkAttribute& field) {
        if (field.type == CTA_PROTOINFO_TCP_STATE) {
          state = field.u8();
        }
      });
    }
  });
  return state;
}

// An entry with what names it for its deletion, borrowed from the message.
struct Entry {
  Flow flow;
  NetlinkAttribute original;
  NetlinkAttribute zone;
  NetlinkAttribute id;
};

std::optional<Entry> read_entry(const NetlinkMessage& message) {
  Entry entry;
  Tuple original;
  std::uint8_t tcp_state = TCP_CONNTRACK_NONE;
  std::uint32_t status = 0;
  message.for_each_attribute(sizeof(nfgenmsg), [&](const NetlinkAttribute& attribute) {
    switch (attribute.type) {
      case CTA_TUPLE_ORIG:
        entry.original = attribute;
        original = read_tuple(attribute);
        break;
      case CTA_TUPLE_REPLY:
        entry.flow.replied_by = read_tuple(attribute).from;
        break;
      case CTA_STATUS:
        status = attribute.u32();
        break;
      case CTA_PROTOINFO:
        tcp_state = read_tcp_state(attribute);
        break;
      case CTA_ZONE:
        entry.zone = attribute;
        break;
      case CTA_ID:
        entry.id = attribute;
        entry.flow.id = attribute.u32();
        break;
      default:
        break;
    }
  });
  const auto protocol = protocol_of(original.protocol);
  if (!protocol) {
    return std::nullopt;
  }
  entry.flow.protocol = *protocol;
  entry.flow.from = original.from;
  entry.flow.to = original.to;
  entry.flow.is_syn_sent = tcp_state == TCP_CONNTRACK_SYN_SENT && (status & IPS_SEEN_REPLY) == 0;
  return entry;
}

Result<void> delete_entry(NetlinkSocket& socket, kube::IpFamily family, const Entry& entry) {
  NetlinkRequest request(message_type(IPCTNL_MSG_CT_DELETE), NLM_F_REQUEST | NLM_F_ACK);
  request.put_netfilter_header(number_of(family));
  request.put(CTA_TUPLE_ORIG | NLA_F_NESTED, entry.original.payload);
  // With the number, an entry that was made anew meanwhile is spared.
  for (const NetlinkAttribute* part : {&entry.zone, &entry.id}) {
    if (part->type != 0) {
      request.put(part->type, part->payload);
    }
  }
  return socket.exchange(request, [](const NetlinkMessage&) { return NetlinkSocket::More::Yes; });
}

// Lends a file descriptor to Asio.
class Borrowed {
 public:
  Borrowed(const asio::any_io_executor& executor, int fd) : descriptor(executor, fd) {}
  ~Borrowed() { (void)descriptor.release(); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;
  asio::posix::stream_descriptor descriptor;
};

}  // namespace

asio::awaitable<Result<SweepCounts>> sweep_flows(kube::IpFamily family,
                                                 std::function<bool(const Flow&)> is_stale) {
  auto dump = NetlinkSocket::open(NETLINK_NETFILTER);
  auto removal = NetlinkSocket::open(NETLINK_NETFILTER);
  if (!dump || !removal) {
    co_return std::unexpected(!dump ? dump.error() : removal.error());
  }
  NetlinkRequest request(message_type(IPCTNL_MSG_CT_GET), NLM_F_REQUEST | NLM_F_DUMP);
  request.put_netfilter_header(number_of(family));
  if (const Result<void> sent = dump->send(request); !sent) {
    co_return std::unexpected(sent.error());
  }
  SweepCounts counts;
  const auto visit = [&](const NetlinkMessage& message) {
    ++counts.seen;
    const auto entry = read_entry(message);
    if (entry && is_stale(entry->flow)) {
      const Result<void> deleted = delete_entry(*removal, family, *entry);
      if (deleted) {
        ++counts.deleted;
      } else if (deleted.error().kind != ErrorKind::NotFound) {
        ++counts.failed;
      }
    }
    return NetlinkSocket::More::Yes;
  };
  Borrowed readable(co_await asio::this_coro::executor, dump->fd());
  for (;;) {
    const auto [ec] =
        co_await readable.descriptor.async_wait(asio::posix::stream_descriptor::wait_read, Quietly);
    if (ec) {
      co_return failure(ErrorKind::System, "conntrack: " + ec.message());
    }
    const auto more = dump->receive(visit, false);
    if (!more) {
      co_return std::unexpected(with_context(more.error(), "conntrack"));
    }
    if (*more == NetlinkSocket::More::No) {
      co_return counts;
    }
  }
}

}  // namespace waypost::proxy
