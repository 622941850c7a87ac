// Names and addresses as in /etc/hosts (hosts(5)): an address and its names in each line.
//
// Immutable once made; any thread reads.  Names are answered with their addresses, and addresses
// with their names.  The first name of an address is told first.  "*.example.org" stands for every
// name with one label in front of example.org that is not there itself, and has no reverse name.
//
// Not here: which files there are and when they are read (ops/query_rules.h).

#pragma once

#include "base/error.h"
#include "base/ip_address.h"
#include "dns/lookup.h"
#include "dns/name.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::policy {

// The lines of one file or of the configuration, read.
struct HostLines {
  // More than so many names in all are refused; with 40 octets each they take 70 MB, and 90 MB
  // while they are read.
  static constexpr std::size_t MaxNames = 250'000;
  // Lines that are none, beyond which they are counted only.
  static constexpr std::size_t MaxProblems = 100;

  struct Entry {
    IpAddress address;
    dns::Name name;  // In the case it was written in.
  };
  std::vector<Entry> entries;
  // Lines that are none, "FILE:LINE: what", at most MaxProblems; the others are good.
  std::vector<Error> problems;
  std::size_t bad_lines = 0;  // All of them.

  // Takes the lines of `text` in addition; `where` is the file for problems.
  void read(std::string_view text, const std::string& where);
};

// One line: an address and one or more names; "#" begins a comment.  Fails with what is wrong.
Result<std::vector<HostLines::Entry>> host_line_from_text(std::string_view line);

// What an operator may choose.
struct HostOptions {
  std::uint32_t ttl = 3600;  // Seconds.
  bool has_reverse = true;   // Addresses are answered with names.
  // Lower case; names of them that are not in the hosts do not exist.  Those of in-addr.arpa and
  // ip6.arpa are always asked elsewhere, unless a zone here is below these two or one of them.
  std::vector<dns::Name> zones;
};

class Hosts {
 public:
  Hosts(const HostLines& lines, HostOptions options);
  ~Hosts();
  Hosts(const Hosts&) = delete;
  Hosts& operator=(const Hosts&) = delete;

  // Writes what there is for the question.  NoData for another type of a name that is there, NoName
  // for what is below HostOptions::zones and is not, nothing when others are to be asked.
  struct Answer {
    bool is_here = false;
    dns::Outcome outcome = dns::Outcome::NoName;
    std::size_t zone_labels = 0;  // Of the zone that denies.
  };
  Answer solve(const dns::Lookup& lookup, dns::MessageWriter& out) const noexcept;

  // Whether solve() has the last word about a name, whatever the type.
  bool decides(const dns::NameKey& name) const noexcept;

  std::size_t entry_count() const noexcept;

 private:
  struct Table;
  // The zone that denies the name, or null.
  const dns::Name* denying_zone(const dns::NameKey& name) const noexcept;

  std::unique_ptr<const Table> table_;
  const HostOptions options_;
};

}  // namespace waypost::policy
