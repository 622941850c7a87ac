#include "server/recursion.h"

#include "base/rcu.h"
#include "base/thread_role.h"
#include "server/socket.h"

#include <boost/asio/post.hpp>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

namespace waypost::server {
namespace {

namespace asio = boost::asio;

// How often a request is looked at again because what it leads to has changed meanwhile.
constexpr unsigned MaxRounds = 3;

}  // namespace

// A request whose client waits.
struct Recursion::Parked {
  std::vector<std::uint8_t> request;
  Client client;
  ReturnPath path;  // UDP
  TakeAnswer take;  // TCP
  search::WalkProgress progress;
};

Recursion::Recursion(asio::io_context& context, resolver::Resolver& resolver, const Views& views,
                     std::uint64_t seed)
    : context_(context),
      resolver_(resolver),
      responder_(views, counters_, seed, ResolverPlace),
      wake_(context),
      output_(dns::MaxMessageSize) {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) {
    throw std::system_error(errno, std::system_category(), "eventfd");
  }
  wake_.assign(fd);
}

Recursion::~Recursion() {
  stop();
}

HandoverRing& Recursion::add_worker() {
  return rings_.emplace_back();
}

Result<void> Recursion::start() {
  try {
    thread_ = std::thread([this] {
      answer_first("resolver");
      run();
    });
  } catch (const std::system_error& error) {
    return failure(ErrorKind::System, std::string("cannot start a thread: ") + error.what());
  }
  return {};
}

void Recursion::stop() {
  if (!thread_.joinable()) {
    return;
  }
  context_.stop();
  thread_.join();
}

void Recursion::wake() noexcept {
  const std::uint64_t one = 1;
  // It can only fail when the thread was told 2^64 times and has not looked.
  [[maybe_unused]] const ssize_t written = write(wake_.native_handle(), &one, sizeof one);
}

void Recursion::ask(std::vector<std::uint8_t> request, const Client& client, TakeAnswer take) {
  auto parked = std::make_shared<Parked>();
  parked->request = std::move(request);
  parked->client = client;
  parked->take = std::move(take);
  parked->client.since_us = client.time.uptime_us;
  asio::post(context_, [this, parked = std::move(parked)] { serve(parked, 0); });
}

void Recursion::refresh(const resolver::Question& question) {
  asio::post(context_, [this, question] { resolver_.refresh(question); });
}

void Recursion::run() {
  const rcu::ReaderThread reader;
  await_work();
  context_.run();
}

void Recursion::await_work() {
  wake_.async_wait(asio::posix::stream_descriptor::wait_read,
                   [this](const boost::system::error_code& error) {
                     if (!error) {
                       take_work();
                       await_work();
                     }
                   });
}

void Recursion::take_work() {
  std::uint64_t count = 0;
  // Before the rings are read, so that what is pushed meanwhile wakes this thread again.
  [[maybe_unused]] const ssize_t size = read(wake_.native_handle(), &count, sizeof count);
  for (HandoverRing& ring : rings_) {
    ring.drain([&](const ReturnPath& path, Bytes request) {
      if (path.fd < 0) {
        resolver::Question question;
        std::memcpy(&question, request.data(), sizeof question);
        return resolver_.refresh(question);
      }
      auto parked = std::make_shared<Parked>();
      parked->request.assign(request.begin(), request.end());
      parked->path = path;
      sockaddr_storage source{};
      std::memcpy(&source, &path.source, sizeof path.source);
      parked->client = {.address = from_sockaddr(source).address,
                        .transport = Transport::Udp,
                        .since_us = path.received_us};
      serve(parked, 0);
    });
  }
}

// Answers, or has the resolver find out what is missing and then answers.
void Recursion::serve(const std::shared_ptr<Parked>& parked, unsigned round) {
  const Reply reply = respond(*parked, nullptr);
  if (!reply.resolve) {
    return send(*parked, Bytes(output_).first(reply.size));
  }
  const resolver::Question question = responder_.elsewhere();  // Which answers overwrite.
  resolver_.resolve(question, [this, parked, round](const resolver::Resolution& resolution) {
    const unsigned known = parked->progress.known();
    const Reply resumed = respond(*parked, &resolution);
    if (!resumed.resolve) {
      return send(*parked, Bytes(output_).first(resumed.size));
    }
    // The next step of a search walk.
    if (parked->progress.known() != known) {
      return asio::post(context_, [this, parked] { serve(parked, 0); });
    }
    // A CNAME of ours leads to another name now.
    if (round < MaxRounds) {
      return asio::post(context_, [this, parked, round] { serve(parked, round + 1); });
    }
    const resolver::Question asked = responder_.elsewhere();
    const resolver::Resolution refusal{.question = asked,
                                       .reason = dns::ExtendedError::Other,
                                       .text = "what the name leads to changes all the time"};
    const Reply refused = respond(*parked, &refusal);
    send(*parked, Bytes(output_).first(refused.size));
  });
}

Reply Recursion::respond(Parked& parked, const resolver::Resolution* resolution) {
  const rcu::ReadSection section;
  parked.client.time = Moment::now();  // Each time anew, because the request may have waited.
  const Reply reply =
      responder_.resume(parked.request, parked.client, resolution, &parked.progress, output_);
  if (reply.refresh) {  // Of what else the answer is made of.
    refresh(responder_.elsewhere());
  }
  return reply;
}

void Recursion::send(const Parked& parked, Bytes answer) {
  counters_.durations.add(Moment::us_since(parked.client.since_us), answer.empty() ? 0 : 1);
  if (parked.take) {
    parked.take({answer.begin(), answer.end()});
    return;
  }
  if (answer.empty()) {  // By now a rule says so.
    return;
  }
  iovec part{const_cast<std::uint8_t*>(answer.data()), answer.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_in6*>(&parked.path.source);
  message.msg_namelen = parked.path.source_size;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (parked.path.control_size != 0) {
    message.msg_control = const_cast<std::uint8_t*>(parked.path.control.data());
    message.msg_controllen = parked.path.control_size;
  }
  while (sendmsg(parked.path.fd, &message, MSG_DONTWAIT) < 0) {
    if (errno != EINTR) {
      counters_.send_failures.add();
      return;
    }
  }
}

}  // namespace waypost::server
