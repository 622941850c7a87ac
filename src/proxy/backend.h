// Which of the two iptables backends to use on this node.
//
// Rules of both in one network namespace are both in force, in an order that nobody chose, so there
// is one right answer: the backend that the kubelet and the network plugin use already.
//
// Not here: running it (proxy/iptables.h).

#pragma once

#include "base/error.h"
#include "proxy/iptables.h"
#include "proxy/saved_text.h"

#include <boost/asio/awaitable.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace waypost::proxy {

// What one backend has, of all tables and both families.
struct BackendFinding {
  bool is_installed = false;
  std::string problem;             // Why it is not usable; empty when it is.
  std::size_t hint_chains = 0;     // KUBE-IPTABLES-HINT, KUBE-KUBELET-CANARY: the kubelet's.
  std::size_t own_chains = 0;      // A Service proxy's: this program's or kube-proxy's.
  bool has_raw_chains = false;     // Those of the node's DNS addresses.
  bool has_mangle_canary = false;  // Of kube-proxy in table mangle, and no rule leads to it.
  std::size_t other_chains = 0;    // User chains of others: a network plugin's, as a rule.
  std::size_t other_rules = 0;
};

// Folds in the text of iptables-save.
class BackendProbe {
 public:
  BackendProbe() = default;
  BackendProbe(const BackendProbe&) = delete;
  BackendProbe& operator=(const BackendProbe&) = delete;

  void take(std::string_view piece) { text_.take(piece); }
  const BackendFinding& finding() const noexcept { return finding_; }
  BackendFinding& finding() noexcept { return finding_; }

 private:
  void take_line(const SavedLine& line);
  BackendFinding finding_;
  bool is_in_mangle_ = false;
  SavedTextReader text_{[this](const SavedLine& line) { take_line(line); }};
};

struct BackendChoice {
  Backend backend = Backend::Nft;
  std::string reason;  // "the kubelet's chain is there"
};

// Chooses from what was found; `wanted` is --backend, nothing for auto.  Fails when neither is
// usable, when `wanted` is not, when the choice would mix with rules of a Service proxy in the
// other, and when `wanted` would mix with those of the kubelet.
Result<BackendChoice> choose_backend(const std::array<BackendFinding, 2>& found,
                                     std::optional<Backend> wanted);

// Looks at the kernel through both and chooses.
boost::asio::awaitable<Result<BackendChoice>> detect_backend(std::optional<Backend> wanted);

}  // namespace waypost::proxy
