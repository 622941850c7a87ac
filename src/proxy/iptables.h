// The door to the iptables programs: iptables-{nft,legacy}-{save,restore} and their IPv6 twins, run
// without a shell, with bounded time and output.
//
// Not here: which backend to use (proxy/backend.h), what the texts say (proxy/saved_rules.h).

#pragma once

#include "kube/objects.h"
#include "proxy/kernel_tables.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace waypost::proxy {

enum class Backend : std::uint8_t { Nft, Legacy };

// "iptables-nft", "iptables-legacy": the words of --backend.
std::string_view to_text(Backend backend) noexcept;

// "ip6tables-nft-save": the program for one `action`, "save" or "restore".
std::string program_name(Backend backend, kube::IpFamily family, std::string_view action);

// Longest text of one table that is read; 300 000 rules need 40 MB.
inline constexpr std::size_t MaxSavedText = std::size_t{512} << 20;

// How long iptables-restore waits for the xtables lock before it gives up.  It sleeps in the
// kernel and is woken at once, so this bounds how late a holder is noticed, not how fast we are.
inline constexpr std::chrono::seconds LockPatience{2};

// After this a program is ended.  iptables-nft needs minutes for the rules of a very large cluster
// in kube-proxy's shape, of which it may find some to clear away.
inline constexpr std::chrono::minutes ProgramTimeLimit{10};

// Control thread only.
class Iptables final : public KernelTables {
 public:
  Iptables(Backend backend, kube::IpFamily family) noexcept : backend_(backend), family_(family) {}

  boost::asio::awaitable<std::expected<void, RestoreFailure>> restore(
      std::shared_ptr<const std::string> input) override;
  boost::asio::awaitable<Result<void>> save(Table table,
                                            std::function<void(std::string_view)> take) override;
  // Legacy: the number of rules and the size of the table (IPT_SO_GET_INFO).  nf_tables: the
  // generation of the whole rule set (NFT_MSG_GETGEN).
  std::uint64_t fingerprint(Table table) override;

 private:
  Backend backend_;
  kube::IpFamily family_;
};

// What a restore program's exit status and complaints mean.
RestoreFailure read_restore_failure(int exit_status, std::string_view errors);

// The text of every table (`program_name(…, "save")`), for choosing a backend and for people.
boost::asio::awaitable<Result<void>> save_all(Backend backend, kube::IpFamily family,
                                              std::function<void(std::string_view)> take);

}  // namespace waypost::proxy
