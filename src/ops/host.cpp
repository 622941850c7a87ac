#include "ops/host.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

namespace waypost::ops {
namespace {

constexpr unsigned MaxCores = 1024;

unsigned affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) {
    return 1;
  }
  return static_cast<unsigned>(std::max(1, CPU_COUNT(&set)));
}

// Kernel files have no size, so that read_file() cannot take them.
std::string read_kernel_file(const std::filesystem::path& path) {
  std::ifstream stream(path);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

std::optional<long> leading_number(std::string_view text) {
  long number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  return ec == std::errc() && end != text.data() ? std::optional(number) : std::nullopt;
}

// The quota that one folder sets, in cores rounded up; 0 when it sets none.
unsigned folder_quota(const std::filesystem::path& folder, bool v2) {
  std::optional<long> quota;
  std::optional<long> period;
  if (v2) {
    const std::string text = read_kernel_file(folder / "cpu.max");
    quota = leading_number(text);
    const std::size_t blank = text.find(' ');
    if (blank != std::string::npos) {
      period = leading_number(std::string_view(text).substr(blank + 1));
    }
  } else {
    quota = leading_number(read_kernel_file(folder / "cpu.cfs_quota_us"));
    period = leading_number(read_kernel_file(folder / "cpu.cfs_period_us"));
  }
  if (!quota || !period || *quota <= 0 || *period <= 0) {
    return 0;
  }
  return static_cast<unsigned>(std::min<long>((*quota + *period - 1) / *period, MaxCores));
}

unsigned tighter(unsigned left, unsigned right) {
  return left == 0 ? right : right == 0 ? left : std::min(left, right);
}

// The tightest quota from `path` below `root` up to `root`.  A container sees its own group as the
// root, so that folders on the way may be missing.
unsigned tightest_quota(const std::filesystem::path& root, std::filesystem::path path, bool v2) {
  unsigned quota = folder_quota(root, v2);
  for (path = path.relative_path(); !path.empty(); path = path.parent_path()) {
    quota = tighter(quota, folder_quota(root / path, v2));
  }
  return quota;
}

bool has_controller(std::string_view controllers, std::string_view wanted) {
  while (!controllers.empty()) {
    const std::size_t comma = std::min(controllers.find(','), controllers.size());
    if (controllers.substr(0, comma) == wanted) {
      return true;
    }
    controllers.remove_prefix(std::min(comma + 1, controllers.size()));
  }
  return false;
}

bool is_link_local(const IpAddress& address) {
  const Bytes octets = address.octets();
  return address.is_v4() ? octets[0] == 169 && octets[1] == 254
                         : octets[0] == 0xfe && (octets[1] & 0xc0U) == 0x80;
}

std::optional<IpAddress> address_of(const sockaddr* address) {
  if (address == nullptr) {
    return std::nullopt;
  }
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    return IpAddress::from_octets({reinterpret_cast<const std::uint8_t*>(&v4->sin_addr), 4});
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    return IpAddress::from_octets({reinterpret_cast<const std::uint8_t*>(&v6->sin6_addr), 16});
  }
  return std::nullopt;
}

// Addresses of interfaces that are up, in the kernel's order.
std::vector<IpAddress> interface_addresses(bool v4) {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) {
    return {};
  }
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(first, &freeifaddrs);
  std::vector<IpAddress> addresses;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    const auto address = address_of(entry->ifa_addr);
    if (address && (entry->ifa_flags & IFF_UP) != 0 && address->is_v4() == v4 &&
        !address->is_loopback() && !is_link_local(*address)) {
      addresses.push_back(*address);
    }
  }
  return addresses;
}

}  // namespace

unsigned usable_cores() {
  return tighter(affinity_cores(),
                 quota_cores(read_kernel_file("/proc/self/cgroup"), "/sys/fs/cgroup"));
}

unsigned quota_cores(std::string_view membership, const std::filesystem::path& mount) {
  unsigned quota = 0;
  while (!membership.empty()) {
    const std::size_t end = std::min(membership.find('\n'), membership.size());
    const std::string_view line = membership.substr(0, end);
    membership.remove_prefix(std::min(end + 1, membership.size()));
    // "0::/path" for version 2, "4:cpu,cpuacct:/path" for version 1 (cgroups(7)).
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) {
      continue;
    }
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const std::filesystem::path path(line.substr(second + 1));
    if (controllers.empty()) {
      quota = tighter(quota, tightest_quota(mount, path, true));
    } else if (has_controller(controllers, "cpu")) {
      quota = tighter(quota, tightest_quota(mount / controllers, path, false));
    }
  }
  return quota;
}

std::vector<IpAddress> own_addresses(const std::vector<SocketAddress>& listen) {
  std::vector<IpAddress> own;
  const auto add = [&own](const IpAddress& address) {
    if (std::find(own.begin(), own.end(), address) == own.end()) {
      own.push_back(address);
    }
  };
  for (const SocketAddress& socket : listen) {
    if (!socket.address.is_unspecified()) {
      add(socket.address);
      continue;
    }
    for (const IpAddress& address : interface_addresses(socket.address.is_v4())) {
      add(address);
    }
  }
  if (own.empty()) {
    for (const SocketAddress& socket : listen) {
      add(socket.address.is_v4() ? IpAddress::v4(127, 0, 0, 1) : *IpAddress::from_text("::1"));
    }
  }
  return own;
}

}  // namespace waypost::ops
