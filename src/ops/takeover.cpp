#include "ops/takeover.h"

#include "base/log.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <expected>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>

namespace waypost::ops {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using Kind = TakeoverMessage::Kind;

constexpr std::uint8_t ProtocolVersion = 1;

// Processes that may wait to be met.
constexpr int Backlog = 4;

sockaddr_un address_of(const fs::path& path) noexcept {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  std::copy_n(text.begin(), std::min(text.size(), sizeof address.sun_path - 1), address.sun_path);
  return address;
}

// Who listens at `path`; the errno of connect(2) when nobody does.
std::expected<OwnedFd, int> connect_to(const fs::path& path) {
  OwnedFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  const sockaddr_un address = address_of(path);
  if (!fd.is_open() ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return std::unexpected(errno);
  }
  return fd;
}

bool is_trusted(const TakeoverPeer& peer) noexcept {
  return peer.user == geteuid() || peer.user == 0;
}

std::uint64_t inode_of(const fs::path& path) noexcept {
  struct stat status{};
  return lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

void send_all(TakeoverChannel& channel, Kind kind, std::vector<OwnedFd> sockets) {
  for (std::size_t start = 0; start < sockets.size();) {
    TakeoverMessage message{.kind = kind};
    const std::size_t end = std::min(start + TakeoverMessage::MaxDescriptors, sockets.size());
    for (; start < end; ++start) {
      message.descriptors.push_back(std::move(sockets[start]));
    }
    channel.send(std::move(message));
  }
}

TakeoverMessage refusal(const std::string& why) {
  return {.kind = Kind::Refusal, .octets = {why.begin(), why.end()}};
}

}  // namespace

Result<std::vector<OwnedFd>> duplicates_of(const std::vector<int>& sockets) {
  std::vector<OwnedFd> own;
  for (const int fd : sockets) {
    OwnedFd copy(fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copy.is_open()) {
      return system_failure("another descriptor of a socket");
    }
    own.push_back(std::move(copy));
  }
  return own;
}

//------------------------------------------------------------------ the old side

TakeoverListener::TakeoverListener(asio::io_context& context, fs::path path, Hooks hooks)
    : context_(context), path_(std::move(path)), hooks_(std::move(hooks)), socket_(context) {}

TakeoverListener::~TakeoverListener() {
  if (successor_) {
    successor_->close();
  }
  if (inode_ != 0 && inode_of(path_) == inode_) {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
}

Result<std::unique_ptr<TakeoverListener>> TakeoverListener::open(asio::io_context& context,
                                                                 const fs::path& path,
                                                                 bool replaces, Hooks hooks) {
  if (!replaces && connect_to(path)) {
    return failure(ErrorKind::InvalidInput,
                   "takeoverSocket: " + path.string() +
                       ": found another process that listens there, expected none; --takeover "
                       "takes its place");
  }
  std::unique_ptr<TakeoverListener> made(new TakeoverListener(context, path, std::move(hooks)));
  if (Result<void> listens = made->listen(); !listens) {
    return std::unexpected(with_context(std::move(listens.error()), "takeoverSocket"));
  }
  made->await_successor();
  return made;
}

// Under another name first, so that there is always a process that listens at the path.
Result<void> TakeoverListener::listen() {
  std::error_code ec;
  const auto kind = fs::symlink_status(path_, ec).type();
  if (kind != fs::file_type::not_found && kind != fs::file_type::socket) {
    return failure(ErrorKind::InvalidInput,
                   path_.string() + ": found a file, expected a socket or nothing");
  }
  const fs::path beside = path_.string() + "." + std::to_string(getpid());
  OwnedFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const sockaddr_un address = address_of(beside);
  fs::remove(beside, ec);
  // The path gets the mode that its socket has.
  if (!fd.is_open() || fchmod(fd.get(), S_IRUSR | S_IWUSR) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), Backlog) != 0 || ::rename(beside.c_str(), path_.c_str()) != 0) {
    Result<void> failed = system_failure(path_.string());
    fs::remove(beside, ec);
    return failed;
  }
  inode_ = inode_of(path_);
  socket_.assign(fd.release());
  return {};
}

void TakeoverListener::await_successor() {
  socket_.async_wait(
      asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& ec) {
        if (ec) {
          return;
        }
        OwnedFd connection(accept4(socket_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC));
        if (connection.is_open()) {
          meet(std::move(connection));
        }
        await_successor();
      });
}

std::string TakeoverListener::note_refusal(const std::string& why) {
  ++counts_.refused;
  log::warn("takeover: refused: {}", why);
  return why;
}

void TakeoverListener::meet(OwnedFd connection) {
  const auto peer = peer_of(connection.get());
  std::string why;
  if (!peer || !is_trusted(*peer)) {
    why = "found a process of another user, expected one of this user or of root";
  } else if (successor_) {
    why = has_left_ ? "another process has taken over" : "another process is about to take over";
  }
  if (!why.empty()) {
    // Whoever has gone meanwhile does not get it.
    [[maybe_unused]] const auto sent = send_message(connection.get(), refusal(note_refusal(why)));
    return;
  }
  successor_ = std::make_shared<TakeoverChannel>(context_, std::move(connection));
  successor_->start([this, process = peer->process](
                        const TakeoverMessage& message) { on_message(message, process); },
                    [this](const Error& why) { on_end(why); });
}

void TakeoverListener::on_end(const Error& why) {
  successor_.reset();
  if (std::exchange(is_preparing_, false) && !has_left_) {
    ++counts_.abandoned;
    log::warn("takeover: {} before it has taken over; this one goes on", why.message);
  }
}

void TakeoverListener::on_message(const TakeoverMessage& message, int process) {
  if (message.kind == Kind::Go && is_preparing_ && !has_left_) {
    has_left_ = true;
    hooks_.leave(process);
  } else if (message.kind == Kind::Hello && message.octets.size() == 1 &&
             message.octets.front() == ProtocolVersion) {
    prepare(process);
  } else {
    successor_->send(refusal(
        note_refusal("found a message out of order, or of another version, expected version " +
                     std::to_string(ProtocolVersion))));
  }
}

void TakeoverListener::prepare(int process) {
  const auto channel = successor_;  // It may end meanwhile.
  Result<Estate> estate = hooks_.estate();
  if (!estate) {
    return channel->send(refusal(note_refusal(estate.error().message)));
  }
  log::info("takeover: process {} prepares to take over", process);
  is_preparing_ = true;
  send_all(*channel, Kind::DnsSockets, std::move(estate->dns));
  send_all(*channel, Kind::StatusSockets, std::move(estate->status));
  channel->send({.kind = Kind::Secret, .octets = {estate->secret.begin(), estate->secret.end()}});
}

void TakeoverListener::tell_left() {
  if (successor_) {
    successor_->send({.kind = Kind::Left});
  }
}

void TakeoverListener::give(OwnedFd connection, std::vector<std::uint8_t> read) {
  if (!successor_) {
    return;
  }
  TakeoverMessage message{.kind = Kind::Connection, .octets = std::move(read)};
  message.descriptors.push_back(std::move(connection));
  successor_->send(std::move(message));
}

bool TakeoverListener::has_given_all() const noexcept {
  return !successor_ || successor_->is_idle();
}

//------------------------------------------------------------------ the new side

Result<std::unique_ptr<Takeover>> Takeover::begin(asio::io_context& context, const fs::path& path) {
  const auto fail = [&](std::string why) {
    return failure(ErrorKind::System, "--takeover: " + path.string() + ": " + std::move(why));
  };
  auto connection = connect_to(path);
  if (!connection) {
    return fail(std::string("found no process that listens there, expected the one to take over "
                            "from: ") +
                std::system_category().message(connection.error()));
  }
  const int fd = connection->get();
  if (const auto peer = peer_of(fd); !peer || !is_trusted(*peer)) {
    return fail("found a process of another user there");
  }
  if (const auto sent = send_message(fd, {.kind = Kind::Hello, .octets = {ProtocolVersion}});
      !sent) {
    return fail(sent.error().message);
  }
  Estate estate;
  while (true) {
    auto message = receive_message(fd, Patience);
    if (!message) {
      return fail(message.error().message);
    }
    if (message->kind == Kind::Refusal) {
      return fail("refused: " + std::string(message->octets.begin(), message->octets.end()));
    }
    if (message->kind == Kind::Secret && message->octets.size() == estate.secret.size()) {
      std::copy(message->octets.begin(), message->octets.end(), estate.secret.begin());
      break;
    }
    if (message->kind != Kind::DnsSockets && message->kind != Kind::StatusSockets) {
      return fail("found a message out of order");
    }
    auto& sockets = message->kind == Kind::DnsSockets ? estate.dns : estate.status;
    std::move(message->descriptors.begin(), message->descriptors.end(),
              std::back_inserter(sockets));
  }
  std::unique_ptr<Takeover> made(
      new Takeover(std::make_shared<TakeoverChannel>(context, std::move(*connection))));
  made->estate_ = std::move(estate);
  return made;
}

Takeover::~Takeover() {
  channel_->close();
}

void Takeover::start(Hooks hooks) {
  hooks_ = std::move(hooks);
  channel_->start([this](TakeoverMessage message) { on_message(std::move(message)); },
                  [this](const Error& why) { hooks_.end(why, !has_left_); });
}

void Takeover::go() {
  channel_->send({.kind = Kind::Go});
}

void Takeover::on_message(TakeoverMessage message) {
  if (message.kind == Kind::Left && !std::exchange(has_left_, true)) {
    hooks_.left();
  } else if (message.kind == Kind::Connection && message.descriptors.size() == 1) {
    hooks_.adopt(std::move(message.descriptors.front()), std::move(message.octets));
  }
}

}  // namespace waypost::ops
