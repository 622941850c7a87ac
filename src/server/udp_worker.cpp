#include "server/udp_worker.h"

#include "base/rcu.h"
#include "server/socket.h"

#include <boost/asio/post.hpp>
#include <linux/sock_diag.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

namespace waypost::server {
namespace {

namespace asio = boost::asio;

// Batches in one turn; then timers and TCP have theirs, half a millisecond or so later.
constexpr int MaxBatches = 4;

// A batch of so many makes a socket busy: leaving the reactor and coming back costs as much as
// being told of about five answers.
constexpr std::size_t BusyBatch = 16;

// Turns what the kernel said about a datagram's way in into a request for the way back: the same
// local address, but any interface, because the route back may be another one.  A link-local
// address means nothing without its interface.
void prepare_for_reply(msghdr& message) noexcept {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      info.ipi_ifindex = 0;
      std::memcpy(CMSG_DATA(part), &info, sizeof info);
    } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) {
        info.ipi6_ifindex = 0;
      }
      std::memcpy(CMSG_DATA(part), &info, sizeof info);
    }
  }
}

}  // namespace

UdpBatch::UdpBatch()
    : buffers_(std::make_unique<std::uint8_t[]>(Size * Stride + Size * MessageSize)) {
  for (std::size_t i = 0; i < Size; ++i) {
    incoming_parts_[i] = {buffers_.get() + i * Stride, MessageSize};
    msghdr& message = incoming_[i].msg_hdr;
    message.msg_name = &sources_[i];
    message.msg_iov = &incoming_parts_[i];
    message.msg_iovlen = 1;
    message.msg_control = &controls_[i];
    outgoing_[i].msg_hdr.msg_iov = &outgoing_parts_[i];
    outgoing_[i].msg_hdr.msg_iovlen = 1;
  }
}

int UdpBatch::receive(int fd) noexcept {
  for (std::size_t i = 0; i < used_; ++i) {
    incoming_[i].msg_hdr.msg_namelen = sizeof(sockaddr_storage);
    incoming_[i].msg_hdr.msg_controllen = ControlSize;
  }
  queued_ = 0;
  answers_end_ = 0;
  const int count = recvmmsg(fd, incoming_.data(), Size, MSG_DONTWAIT, nullptr);
  used_ = count > 0 ? static_cast<std::size_t>(count) : 0;
  return count;
}

Bytes UdpBatch::request(std::size_t index) const noexcept {
  return {buffers_.get() + index * Stride, incoming_[index].msg_len};
}

bool UdpBatch::is_cut(std::size_t index) const noexcept {
  return (incoming_[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

ReturnPath UdpBatch::return_path(std::size_t index, int fd) noexcept {
  msghdr& from = incoming_[index].msg_hdr;
  ReturnPath path{.fd = fd,
                  .source_size = std::min<socklen_t>(from.msg_namelen, sizeof path.source)};
  std::memcpy(&path.source, &sources_[index], sizeof path.source);
  if (from.msg_controllen != 0) {
    prepare_for_reply(from);
    path.control_size = static_cast<std::uint32_t>(from.msg_controllen);
    std::memcpy(path.control.data(), from.msg_control, from.msg_controllen);
  }
  return path;
}

MutableBytes UdpBatch::answer() noexcept {
  return {buffers_.get() + Size * Stride + answers_end_, MessageSize};
}

void UdpBatch::queue(std::size_t index, std::size_t size) noexcept {
  msghdr& from = incoming_[index].msg_hdr;
  msghdr& to = outgoing_[queued_].msg_hdr;
  outgoing_parts_[queued_] = {answer().data(), size};
  answers_end_ += (size + LineSize - 1) / LineSize * LineSize;
  to.msg_name = from.msg_name;
  to.msg_namelen = from.msg_namelen;
  to.msg_control = nullptr;
  to.msg_controllen = 0;
  if (from.msg_controllen != 0) {
    prepare_for_reply(from);
    to.msg_control = from.msg_control;
    to.msg_controllen = from.msg_controllen;
  }
  ++queued_;
}

std::size_t UdpBatch::send(int fd) noexcept {
  std::size_t lost = 0;
  for (std::size_t done = 0; done < queued_;) {
    const int sent =
        sendmmsg(fd, outgoing_.data() + done, static_cast<unsigned>(queued_ - done), MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      // The queue is full and stays so for the rest of the batch.  Clients ask again; waiting here
      // would make everybody else's answer late.
      lost += queued_ - done;
      break;
    } else if (errno != EINTR) {
      ++lost;  // The error is about the first one only: no route, or a firewall's refusal.
      ++done;
    }
  }
  queued_ = 0;
  return lost;
}

UdpWorker::UdpWorker(asio::ip::udp::socket socket, UdpBatch& batch, Responder& responder,
                     Handover& handover, Counters& counters, QuerySampler& sampler) noexcept
    : socket_(std::move(socket)),
      protocol_(asio::ip::udp::v4()),
      fd_(socket_.native_handle()),
      batch_(batch),
      responder_(responder),
      handover_(handover),
      counters_(counters),
      sampler_(sampler) {
  boost::system::error_code ignored;
  protocol_ = socket_.local_endpoint(ignored).protocol();
}

UdpWorker::~UdpWorker() {
  close();
}

void UdpWorker::start() {
  socket_.async_wait(asio::socket_base::wait_read, [this](const boost::system::error_code& error) {
    if (error != asio::error::operation_aborted) {
      work();
    }
  });
}

// Closing the socket would leave it in this process' epoll set, because another has it, too.
void UdpWorker::leave() noexcept {
  has_left_ = true;
  if (is_registered()) {
    unregister();
  }
}

void UdpWorker::finish() noexcept {
  if (fd_ >= 0 && !has_left_) {
    drain();
  }
  close();
}

void UdpWorker::close() noexcept {
  if (fd_ >= 0 && !is_registered()) {
    ::close(fd_);
  }
  boost::system::error_code ignored;
  socket_.close(ignored);
  fd_ = -1;
}

std::size_t UdpWorker::receive_buffer() const noexcept {
  int size = 0;
  socklen_t length = sizeof size;
  getsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &size, &length);
  // The kernel tells twice of what it was told, for what it needs itself (socket(7)).
  return static_cast<std::size_t>(size) / 2;
}

std::uint32_t UdpWorker::drops() const noexcept {
  std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
  socklen_t size = sizeof info;
  getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, info.data(), &size);  // All zero when it fails.
  return info[SK_MEMINFO_DROPS];
}

void UdpWorker::work() {
  if (fd_ < 0 || has_left_) {
    return;
  }
  if (drain() == Left::Nothing && (is_registered() || register_again())) {
    start();
  } else {
    asio::post(socket_.get_executor(), [this] { work(); });
  }
}

void UdpWorker::unregister() noexcept {
  boost::system::error_code ignored;
  socket_.release(ignored);
}

// Fails when memory is short; then the socket stays busy until there is some.
bool UdpWorker::register_again() noexcept {
  boost::system::error_code error;
  socket_.assign(protocol_, fd_, error);
  return !error;
}

UdpWorker::Left UdpWorker::drain() noexcept {
  const rcu::ReadSection section;
  for (int batch = 0; batch < MaxBatches; ++batch) {
    const int count = batch_.receive(fd_);
    if (count == 0 || (count < 0 && errno == EAGAIN)) {
      return Left::Nothing;
    }
    if (count < 0) {
      continue;  // About an earlier answer (an ICMP message, say), and reading it cleared it.
    }
    const auto size = static_cast<std::size_t>(count);
    if (size >= BusyBatch && is_registered()) {
      unregister();
    }
    answer_batch(size, Moment::now());
    rcu::quiescent();
    if (size < BusyBatch && is_registered()) {
      return Left::Nothing;  // The wait sees what has come meanwhile, without an empty receive.
    }
  }
  return Left::Perhaps;
}

void UdpWorker::answer_batch(std::size_t count, const Moment& time) noexcept {
  constexpr std::size_t GroupSize = Responder::MaxRequests;
  std::array<Bytes, GroupSize> requests;
  for (std::size_t first = 0; first < count; first += GroupSize) {
    const std::size_t size = std::min(GroupSize, count - first);
    for (std::size_t i = 0; i < size; ++i) {
      requests[i] = batch_.request(first + i);
    }
    responder_.read(std::span(requests).first(size));
    for (std::size_t i = 0; i < size; ++i) {
      answer(i, first + i, time);
    }
  }
  handover_.flush();
  const std::size_t responses = batch_.queued();
  counters_.send_failures.add(batch_.send(fd_));
  counters_.durations.add(Moment::us_since(time.uptime_us), responses);
}

void UdpWorker::answer(std::size_t in_group, std::size_t in_batch, const Moment& time) noexcept {
  const SocketAddress source = from_sockaddr(batch_.source(in_batch));
  if (batch_.is_cut(in_batch) || source.port == 0) {  // Nobody can be answered at port 0.
    counters_.queries.add(Transport::Udp, source.address.is_v4(), OtherType);
    counters_.dropped.add();
    return;
  }
  if (sampler_.is_due()) {
    sampler_.take(batch_.request(in_batch), source.address);
  }
  const Client client{.address = source.address, .transport = Transport::Udp, .time = time};
  Reply reply = responder_.answer(in_group, client, batch_.answer());
  if (reply.resolve && !hand_over(in_batch, time)) {
    counters_.handover_refused.add();
    reply = responder_.refuse(in_group, client, Recursion::TooManyWait, batch_.answer());
  }
  if (reply.refresh) {
    handover_.push_refresh(responder_.elsewhere());
  }
  if (reply.size != 0) {
    batch_.queue(in_batch, reply.size);
  }
}

bool UdpWorker::hand_over(std::size_t index, const Moment& time) noexcept {
  ReturnPath path = batch_.return_path(index, fd_);
  path.received_us = time.uptime_us;
  return handover_.push(path, batch_.request(index));
}

}  // namespace waypost::server
