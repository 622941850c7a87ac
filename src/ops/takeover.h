// A new process takes the place of an old one, which has the same configuration or an older one:
// it gets its sockets, TCP connections and the secret of its cookies, and no query is lost.
//
//   old                                   new
//                                         reads its configuration
//                                         connects to `takeoverSocket`: Hello
//   DnsSockets, StatusSockets, Secret
//   answers                               learns the cluster
//   answers                               answers, too: both read the same sockets.  Go
//   reads no more; Left                   answers alone
//   answers what it has in hand;
//   Connection, for each one that waits   goes on with the connection
//   ends
//
// Until Go everything is as before for the old process, whatever becomes of the new one.
//
// The answers that other servers gave are not handed on; the new process asks again.

#pragma once

#include "base/error.h"
#include "base/owned_fd.h"
#include "dns/edns.h"
#include "ops/takeover_channel.h"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace waypost::ops {

// What a process hands on.
struct Estate {
  std::vector<OwnedFd> dns;     // Of server::Server.
  std::vector<OwnedFd> status;  // Of StatusServer.
  dns::CookieMaker::Secret secret{};
};

// Descriptors of their own for the same sockets.  Fails when the kernel does not give one of them:
// a socket that is not handed on swallows what it gets.
Result<std::vector<OwnedFd>> duplicates_of(const std::vector<int>& sockets);

// Of those who did not take over.
struct TakeoverCounts {
  std::uint64_t refused = 0;
  std::uint64_t abandoned = 0;  // They got everything, and ended.
};

// The old side: waits for a process that takes over.  Control thread only.
class TakeoverListener {
 public:
  struct Hooks {
    // An error is told to the one that asks.
    std::function<Result<Estate>()> estate;
    // The process with this number answers; to be called once.
    std::function<void(int successor)> leave;
  };
  // Listens on the socket `path`, which only this user and root can connect to; what another
  // process left there is replaced.  Fails when a process listens there, unless `replaces`: then
  // that one's path is taken from it.
  static Result<std::unique_ptr<TakeoverListener>> open(boost::asio::io_context& context,
                                                        const std::filesystem::path& path,
                                                        bool replaces, Hooks hooks);
  // Removes the path, unless another process has it now.
  ~TakeoverListener();
  TakeoverListener(const TakeoverListener&) = delete;
  TakeoverListener& operator=(const TakeoverListener&) = delete;

  // After Hooks::leave.
  void tell_left();
  // As server::TakeConnection.
  void give(OwnedFd connection, std::vector<std::uint8_t> read);
  bool has_given_all() const noexcept;

  const TakeoverCounts& counts() const noexcept { return counts_; }

 private:
  TakeoverListener(boost::asio::io_context& context, std::filesystem::path path, Hooks hooks);
  Result<void> listen();
  void await_successor();
  void meet(OwnedFd connection);
  void on_message(const TakeoverMessage& message, int process);
  void on_end(const Error& why);
  void prepare(int process);
  // Returns `why`.
  std::string note_refusal(const std::string& why);

  boost::asio::io_context& context_;
  const std::filesystem::path path_;
  const Hooks hooks_;
  boost::asio::posix::stream_descriptor socket_;
  std::uint64_t inode_ = 0;  // Of the path, as this process made it.
  std::shared_ptr<TakeoverChannel> successor_;
  bool is_preparing_ = false;  // `successor_` has got everything.
  bool has_left_ = false;
  TakeoverCounts counts_;
};

// The new side.  Control thread only.
class Takeover {
 public:
  // How long an old process may take to hand on what it has.
  static constexpr std::chrono::seconds Patience{10};

  // Connects to the process that listens at `path` and gets what it has.  Waits for it.
  static Result<std::unique_ptr<Takeover>> begin(boost::asio::io_context& context,
                                                 const std::filesystem::path& path);
  ~Takeover();
  Takeover(const Takeover&) = delete;
  Takeover& operator=(const Takeover&) = delete;

  Estate& estate() noexcept { return estate_; }

  struct Hooks {
    std::function<void()> left;  // This process is alone now.
    std::function<void(OwnedFd connection, std::vector<std::uint8_t> read)> adopt;
    // The old process has ended.  `is_early`: without having left.
    std::function<void(const Error& why, bool is_early)> end;
  };
  // From here on hooks are called.
  void start(Hooks hooks);
  // Tells the old process that this one answers.
  void go();

 private:
  explicit Takeover(std::shared_ptr<TakeoverChannel> channel) : channel_(std::move(channel)) {}
  void on_message(TakeoverMessage message);

  std::shared_ptr<TakeoverChannel> channel_;
  Estate estate_;
  Hooks hooks_;
  bool has_left_ = false;
};

}  // namespace waypost::ops
