#include "ops/config_map.h"

#include "ops/config_reader.h"
#include "ops/option_table.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace waypost::ops {
namespace {

namespace fs = std::filesystem;
using Shape = Setting::Shape;

// The most that dnsmasq is given by kube-dns.
constexpr std::size_t MaxNameservers = 3;

Error problem(const std::string& where, std::string what) {
  return with_context({ErrorKind::InvalidInput, std::move(what)}, where);
}

CorefileSettings settings_of_coredns(const Setting& corefile, const fs::path& file,
                                     std::uint16_t port) {
  const fs::path inside = file.string() + "(Corefile)";
  corefile::Surroundings surroundings = corefile::process_surroundings();
  surroundings.read = [&, read = surroundings.read](const fs::path& path) {
    return path == inside ? Result<std::string>(corefile.values.front().text) : read(path);
  };
  const auto read = corefile::read_corefile(inside, surroundings);
  if (!read) {
    CorefileSettings out;
    out.problems.push_back(read.error());
    return out;
  }
  return settings_of(*read, port);
}

class KubeDns {
 public:
  explicit KubeDns(const fs::path& file) : file_(file) {}

  CorefileSettings run(const std::vector<Setting>& data) {
    set("fallthroughZones", Shape::List, {"in-addr.arpa", "ip6.arpa"});
    set("pods", Shape::Scalar, {"insecure"});
    set("ttl", Shape::Scalar, {"30"});
    for (const Setting& setting : data) {
      if (setting.shape != Shape::Scalar) {
        complain(setting, "expected JSON as a text");
      } else if (setting.key == "data.stubDomains") {
        read_stub_domains(setting);
      } else if (setting.key == "data.upstreamNameservers") {
        read_nameservers(setting);
      } else if (setting.key == "data.federations") {
        complain(setting,
                 "not offered here: federations are gone from Kubernetes; use stubDomains");
      } else {
        complain(setting, "found an unknown key, expected stubDomains or upstreamNameservers");
      }
    }
    if (!by_key_.contains("forward")) {
      set("forward", Shape::List, {"/etc/resolv.conf"});
    }
    for (const Option& option : options()) {
      if (const auto found = by_key_.find(option.key); found != by_key_.end()) {
        out_.settings.push_back(std::move(found->second));
      }
    }
    return std::move(out_);
  }

 private:
  void complain(const Setting& setting, std::string what) {
    out_.problems.push_back(problem(setting.where, std::move(what)));
  }

  void set(std::string_view key, Shape shape, const std::vector<std::string>& values) {
    Setting setting{
        .key = std::string(key), .where = file_.string() + ": " + std::string(key), .shape = shape};
    for (const std::string& value : values) {
      setting.values.push_back({value, "", false});
    }
    by_key_.insert_or_assign(std::string(key), std::move(setting));
  }

  // JSON is YAML.
  ReadSettings read_json(const Setting& setting, const std::string& text) {
    ReadSettings read = read_settings(text, file_);
    if (!read.problems.empty()) {
      complain(setting, "found no JSON (" + read.problems.front().message + ")");
      read.settings.clear();
    }
    return read;
  }

  void read_stub_domains(const Setting& setting) {
    std::vector<std::string> stubs;
    for (const Setting& zone : read_json(setting, setting.values.front().text).settings) {
      if (zone.shape != Shape::List) {
        complain(setting, "found no list of servers for '" + zone.key + "'");
        continue;
      }
      for (const SettingValue& server : zone.values) {
        stubs.push_back(zone.key + "=" + server.text);
      }
    }
    set("stubDomains", Shape::List, stubs);
    by_key_["stubDomains"].where = setting.where;
  }

  void read_nameservers(const Setting& setting) {
    const ReadSettings read =
        read_json(setting, "{\"servers\": " + setting.values.front().text + "\n}");
    std::vector<std::string> servers;
    for (const Setting& list : read.settings) {
      if (list.shape != Shape::List) {
        return complain(setting, "found no list of servers");
      }
      for (const SettingValue& server : list.values) {
        servers.push_back(server.text);
      }
    }
    if (servers.size() > MaxNameservers) {
      return complain(setting, "found " + std::to_string(servers.size()) +
                                   " servers, expected at most " + std::to_string(MaxNameservers));
    }
    set("forward", Shape::List, servers);
    by_key_["forward"].where = setting.where;
  }

  const fs::path& file_;
  CorefileSettings out_;
  std::map<std::string, Setting, std::less<>> by_key_;
};

}  // namespace

CorefileSettings settings_of_kube_dns(const fs::path& folder,
                                      const corefile::Surroundings& surroundings) {
  CorefileSettings out;
  auto names = surroundings.list(folder);
  if (!names) {
    out.problems.push_back(names.error());
    return out;
  }
  std::ranges::sort(*names);
  std::vector<Setting> data;
  for (const std::string& name : *names) {
    if (name.starts_with('.')) {
      continue;
    }
    // What it is not is refused unread.
    const bool is_known =
        name == "stubDomains" || name == "upstreamNameservers" || name == "federations";
    auto text = is_known ? surroundings.read(folder / name) : Result<std::string>("");
    if (!text) {
      out.problems.push_back(text.error());
      continue;
    }
    Setting setting{.key = "data." + name, .where = (folder / name).string()};
    setting.values.push_back({std::move(*text), "", false});
    data.push_back(std::move(setting));
  }
  if (!out.problems.empty()) {
    return out;
  }
  out = KubeDns(folder).run(data);
  Setting ready{.key = "readyListen", .where = folder.string(), .shape = Shape::List};
  ready.values = {{"0.0.0.0:8081", "", false}, {"[::]:8081", "", false}};
  out.settings.push_back(std::move(ready));
  return out;
}

CorefileSettings settings_of_config_map(std::string_view text, const fs::path& file,
                                        std::uint16_t port) {
  const ReadSettings manifest = read_settings(text, file, NestedMaps::Flattened);
  CorefileSettings out;
  if (!manifest.problems.empty()) {
    out.problems = manifest.problems;
    return out;
  }
  bool is_config_map = false;
  std::vector<Setting> data;
  for (const Setting& setting : manifest.settings) {
    if (setting.key == "kind") {
      is_config_map = setting.shape == Shape::Scalar && setting.values.front().text == "ConfigMap";
    } else if (setting.key.starts_with("data.")) {
      data.push_back(setting);
    }
  }
  if (!is_config_map || data.empty()) {
    out.problems.push_back(problem(
        file.string(), "found no ConfigMap with data, expected that of coredns or kube-dns"));
    return out;
  }
  const auto corefile = std::find_if(data.begin(), data.end(), [](const Setting& setting) {
    return setting.key == "data.Corefile" && setting.shape == Shape::Scalar;
  });
  return corefile != data.end() ? settings_of_coredns(*corefile, file, port)
                                : KubeDns(file).run(data);
}

}  // namespace waypost::ops
