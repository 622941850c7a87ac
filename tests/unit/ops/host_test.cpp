#include "ops/host.h"

#include "support/temporary_folder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace waypost::ops {

TEST_CASE("a CPU quota counts in whole cores, the tightest level of both cgroup versions") {
  struct Case {
    const char* what;
    const char* membership;
    std::vector<std::pair<const char*, const char*>> files;
    unsigned cores;
  };
  for (const Case& c : std::vector<Case>{
           {"nothing known", "", {}, 0},
           {"v2, no limit", "0::/a\n", {{"a/cpu.max", "max 100000\n"}}, 0},
           {"v2, two cores", "0::/a\n", {{"a/cpu.max", "200000 100000\n"}}, 2},
           {"v2, a part of a core", "0::/a\n", {{"a/cpu.max", "1000 100000\n"}}, 1},
           {"v2, one and a half", "0::/a\n", {{"a/cpu.max", "150000 100000\n"}}, 2},
           {"v2, the parent is tighter",
            "0::/a/b\n",
            {{"a/b/cpu.max", "400000 100000\n"}, {"a/cpu.max", "100000 100000\n"}},
            1},
           {"v2, a container's own root", "0::/hidden/path\n", {{"cpu.max", "300000 100000\n"}}, 3},
           {"v2, not a number", "0::/\n", {{"cpu.max", "many 100000\n"}}, 0},
           {"v2, no period", "0::/\n", {{"cpu.max", "100000\n"}}, 0},
           {"v1",
            "5:memory:/x\n4:cpu,cpuacct:/a\n",
            {{"cpu,cpuacct/a/cpu.cfs_quota_us", "250000\n"},
             {"cpu,cpuacct/a/cpu.cfs_period_us", "50000\n"}},
            5},
           {"v1, no limit",
            "4:cpu:/\n",
            {{"cpu/cpu.cfs_quota_us", "-1\n"}, {"cpu/cpu.cfs_period_us", "100000\n"}},
            0},
           {"v1, only cpuset", "4:cpuset:/\n", {{"cpuset/cpu.cfs_quota_us", "100000\n"}}, 0},
           {"both",
            "4:cpu:/\n0::/\n",
            {{"cpu/cpu.cfs_quota_us", "400000\n"},
             {"cpu/cpu.cfs_period_us", "100000\n"},
             {"cpu.max", "300000 100000\n"}},
            3},
           {"lines without colons", "nonsense\n0:\n", {{"cpu.max", "100000 100000\n"}}, 0},
       }) {
    const test::TemporaryFolder mount;
    for (const auto& [name, content] : c.files) {
      mount.write(name, content);
    }
    CAPTURE(c.what);
    CAPTURE(c.membership);
    CHECK(quota_cores(c.membership, mount.path()) == c.cores);
  }
}

TEST_CASE("at least one core is usable") {
  CHECK(usable_cores() >= 1U);
  CHECK(usable_cores() <= 1024U);
}

TEST_CASE("own addresses are those listened on, once each") {
  const IpAddress first = IpAddress::v4(127, 0, 0, 1);
  const IpAddress second = *IpAddress::from_text("::1");
  CHECK(own_addresses({{first, 53}, {second, 53}, {first, 1053}}) ==
        std::vector<IpAddress>{first, second});
}

TEST_CASE("a wildcard stands for addresses of its family that others can reach") {
  for (const char* text : {"0.0.0.0", "::"}) {
    CAPTURE(text);
    const IpAddress wildcard = *IpAddress::from_text(text);
    const std::vector<IpAddress> own = own_addresses({{wildcard, 53}});
    REQUIRE_FALSE(own.empty());
    for (const IpAddress& address : own) {
      CAPTURE(address.to_text());
      CHECK(address.is_v4() == wildcard.is_v4());
      CHECK_FALSE(address.is_unspecified());
      CHECK((own.size() == 1 || !address.is_loopback()));
    }
  }
}

}  // namespace waypost::ops
