// The contents of a resolv.conf as the kubelet sees them: nameservers, search domains, options.
//
// Not here: what of it a Pod gets (node/pod_dns.h), putting it in its place (base/file_edit.h).

#pragma once

#include "base/error.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::node {

// The most of a host's file that the kubelet reads, in octets.
inline constexpr std::size_t MaxResolverFile = std::size_t{10} << 20;

struct ResolverFile {
  std::vector<std::string> nameservers;
  std::vector<std::string> searches;
  std::vector<std::string> options;  // "ndots:5", "debug"

  friend bool operator==(const ResolverFile&, const ResolverFile&) = default;
};

// Reads a host's file by the kubelet's rules, not by the C library's: nameservers add up, the last
// `search` counts, options add up by name and the last one of a name wins in the place of the
// first, `domain` and `sortlist` are passed over.  Of search domains one final dot is taken away,
// and "." is dropped.  Fails for a `nameserver` without an address ("line 3: ...") and for more
// than MaxResolverFile.
Result<ResolverFile> parse_resolver_file(std::string_view text);

// The file that a container runtime writes of it: search, nameserver, options, each only when there
// is something in it.
std::string to_text(const ResolverFile& file);

// Adds `option` to `options`, or puts it in the place of the one with the same name, which is what
// stands in front of ':'.  The kubelet leaves the order open; here it is that of first appearance.
void put_option(std::vector<std::string>& options, std::string option);

// A file that is written in a host's or a container's place says so in its first line, with a
// checksum, so that it is told apart from one that somebody else wrote or changed since.
std::string mark_as_own(std::string_view text);
bool is_own(std::string_view text);

}  // namespace waypost::node
