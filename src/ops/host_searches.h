// The search domains of the nodes' own resolver file, of which every Pod with the cluster's DNS
// gets a copy: as an operator lists them, or from a file as the kubelet's resolvConf, which is
// followed.
//
// Not here: what Pods make of them (search/search_list.h).

#pragma once

#include "ops/followed_files.h"

#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace waypost::ops {

// What an operator chose about search completion.
struct CompletionConfig {
  bool is_on = false;
  // The hosts' search domains; nothing: those of the file.
  std::optional<std::vector<std::string>> domains;
  std::filesystem::path resolv_conf;  // Absolute.
  std::string node;                   // Only Pods of this node are watched; empty: all.
};

// Control thread only.
class HostSearches {
 public:
  // `context` is borrowed and outlives this object.  `changed` is called on its thread when the
  // domains have become others, but not from configure().
  HostSearches(boost::asio::io_context& context, std::function<void()> changed);

  // Puts `config` in force and looks at the file, if it counts.
  void configure(const CompletionConfig& config);

  // As the file was when it could last be read.  Never read: as they were before.
  const std::vector<std::string>& domains() const noexcept { return domains_; }

 private:
  bool take();

  FollowedFiles file_;  // One, if it counts.
  std::vector<std::string> domains_;
  std::string problem_;  // What was last said about the file.
};

}  // namespace waypost::ops
