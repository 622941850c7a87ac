#include "ops/takeover_channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;
using Kind = TakeoverMessage::Kind;

constexpr std::size_t ControlSize = CMSG_SPACE(TakeoverMessage::MaxDescriptors * sizeof(int));

struct alignas(cmsghdr) Control {
  std::array<std::uint8_t, ControlSize> octets{};
};

bool is_known(std::uint8_t kind) noexcept {
  switch (Kind{kind}) {
    case Kind::Hello:
    case Kind::DnsSockets:
    case Kind::StatusSockets:
    case Kind::Secret:
    case Kind::Refusal:
    case Kind::Go:
    case Kind::Left:
    case Kind::Connection:
      return true;
  }
  return false;
}

void take_descriptors(msghdr& header, std::vector<OwnedFd>& descriptors) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      descriptors.emplace_back(fd);
    }
  }
}

// The next message; none when there is none yet.
Result<std::optional<TakeoverMessage>> try_receive(int fd) {
  std::uint8_t kind = 0;
  std::vector<std::uint8_t> octets(TakeoverMessage::MaxOctets);
  std::array<iovec, 2> parts{iovec{&kind, 1}, iovec{octets.data(), octets.size()}};
  Control control;
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  header.msg_control = control.octets.data();
  header.msg_controllen = control.octets.size();
  const ssize_t size = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size < 0) {
    if (errno == EAGAIN || errno == EINTR) {
      return std::nullopt;
    }
    return system_failure("takeover");
  }
  std::vector<OwnedFd> descriptors;  // Closed again if the message is of no use.
  take_descriptors(header, descriptors);
  if (size == 0) {
    return failure(ErrorKind::NotFound, "the other process has closed the connection");
  }
  if (!is_known(kind) || (header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return failure(ErrorKind::InvalidInput,
                   "found a message of another program, or version, expected one of a takeover");
  }
  octets.resize(static_cast<std::size_t>(size) - 1);
  return TakeoverMessage{
      .kind = Kind{kind}, .octets = std::move(octets), .descriptors = std::move(descriptors)};
}

}  // namespace

Result<bool> send_message(int fd, const TakeoverMessage& message) {
  auto kind = static_cast<std::uint8_t>(message.kind);
  std::array<iovec, 2> parts{
      iovec{&kind, 1},
      iovec{const_cast<std::uint8_t*>(message.octets.data()), message.octets.size()}};
  msghdr header{};
  header.msg_iov = parts.data();
  header.msg_iovlen = parts.size();
  Control control;
  if (!message.descriptors.empty()) {
    const std::size_t size = message.descriptors.size() * sizeof(int);
    header.msg_control = control.octets.data();
    header.msg_controllen = CMSG_SPACE(size);
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(size);
    for (std::size_t i = 0; i < message.descriptors.size(); ++i) {
      const int each = message.descriptors[i].get();
      std::memcpy(CMSG_DATA(part) + i * sizeof each, &each, sizeof each);
    }
  }
  while (sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    // ETOOMANYREFS: as many descriptors are on their way as this user may have open.
    if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS) {
      return false;
    }
    if (errno != EINTR) {
      return system_failure("takeover");
    }
  }
  return true;
}

Result<TakeoverMessage> receive_message(int fd, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (true) {
    auto received = try_receive(fd);
    if (!received) {
      return std::unexpected(std::move(received.error()));
    }
    if (*received) {
      return *std::move(*received);
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) {
      return failure(ErrorKind::Exhausted, "the other process did not answer within " +
                                               std::to_string(patience.count()) + " ms");
    }
    pollfd wait{.fd = fd, .events = POLLIN, .revents = 0};
    (void)poll(&wait, 1, static_cast<int>(left.count()));
  }
}

std::optional<TakeoverPeer> peer_of(int fd) noexcept {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return std::nullopt;
  }
  return TakeoverPeer{.process = credentials.pid, .user = credentials.uid};
}

TakeoverChannel::TakeoverChannel(asio::io_context& context, OwnedFd connection)
    : connection_(context, connection.release()) {}

void TakeoverChannel::start(std::function<void(TakeoverMessage)> take,
                            std::function<void(const Error&)> end) {
  take_ = std::move(take);
  end_ = std::move(end);
  await_message();
}

void TakeoverChannel::await_message() {
  connection_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& ec) {
                           while (!ec && self->connection_.is_open()) {
                             auto received = try_receive(self->connection_.native_handle());
                             if (!received) {
                               return self->finish(received.error());
                             }
                             if (!*received) {
                               return self->await_message();
                             }
                             self->take_(*std::move(*received));
                           }
                         });
}

void TakeoverChannel::send(TakeoverMessage message) {
  if (!connection_.is_open()) {
    return;
  }
  queue_.push_back(std::move(message));
  if (queue_.size() == 1) {
    flush();
  }
}

void TakeoverChannel::flush() {
  while (connection_.is_open() && !queue_.empty()) {
    const Result<bool> sent = send_message(connection_.native_handle(), queue_.front());
    if (!sent) {
      return finish(sent.error());
    }
    if (!*sent) {
      return await_room();
    }
    queue_.pop_front();
  }
}

void TakeoverChannel::await_room() {
  connection_.async_wait(asio::posix::stream_descriptor::wait_write,
                         [self = shared_from_this()](const boost::system::error_code& ec) {
                           if (!ec) {
                             self->flush();
                           }
                         });
}

void TakeoverChannel::finish(const Error& why) {
  const auto end = std::exchange(end_, {});
  close();
  if (end) {
    end(why);
  }
}

void TakeoverChannel::close() {
  boost::system::error_code ignored;
  connection_.close(ignored);
  queue_.clear();
  end_ = {};
}

}  // namespace waypost::ops
