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
  using Use = std::function<void(const std::vector<std::string>& domains)>;

  // `context` is borrowed and outlives this object.  `is_on`: names are completed, which is settled
  // at start, because it takes a watch of Pods; otherwise nothing is read and nobody called.  `use`
  // is given the domains on the context's thread: by configure(), and when the file has others.
  HostSearches(boost::asio::io_context& context, bool is_on, Use use);

  // Puts `config` in force, but for `is_on`, and looks at the file, if it counts.  Of a file that
  // cannot be read, the domains are those that were in force before.
  void configure(const CompletionConfig& config);

 private:
  bool take();
  void tell(const std::string& problem);

  const bool is_on_;
  const Use use_;
  FollowedFiles file_;  // One, if it counts.
  std::vector<std::string> domains_;
  std::string problem_;  // What was last said about the file.
};

}  // namespace waypost::ops
