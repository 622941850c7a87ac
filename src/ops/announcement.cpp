#include "ops/announcement.h"

#include "dns/name.h"
#include "dns/reverse_name.h"
#include "dns/types.h"
#include "ops/trial.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

namespace waypost::ops {
namespace {

using dns::RecordType;

// Without the final dot, as people type it.
std::string typed(const std::string& name) {
  return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

// Tries names of one Service until each of the three kinds of question has an example.
class Examples {
 public:
  Examples(const dns::Name& zone, Trial& trial, std::string command)
      : zone_(zone.to_text()), trial_(trial), command_(std::move(command)) {}

  void consider(const kube::ObjectKey& key, const kube::Service& service) {
    const std::string name = key.name + "." + key.name_space + ".svc." + zone_;
    for (const IpAddress& address : service.cluster_ips) {
      const RecordType type = address.is_v4() ? RecordType::A : RecordType::AAAA;
      propose(address_, name, type, typed(name) + " " + dns::to_text(type));
      propose(pointer_, dns::reverse_name(address).to_text(), RecordType::PTR,
              "-x " + address.to_text());
    }
    for (const kube::ServicePort& port : service.ports) {
      if (!port.name.empty()) {
        const std::string srv =
            "_" + port.name + "._" + std::string(kube::to_text(port.protocol)) + "." + name;
        propose(port_, srv, RecordType::SRV, typed(srv) + " SRV");
      }
    }
  }

  bool is_complete() const { return address_ && port_ && pointer_; }

  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (const auto& example : {address_, port_, pointer_}) {
      if (example) {
        lines.push_back(command_ + " " + *example);
      }
    }
    return lines;
  }

 private:
  void propose(std::optional<std::string>& place, const std::string& name, RecordType type,
               const std::string& arguments) {
    const auto wire = dns::Name::from_text(name);
    if (!place && wire && trial_.is_answered(*wire, type)) {
      place = arguments;
    }
  }

  std::string zone_;
  Trial& trial_;
  std::string command_;
  std::optional<std::string> address_;
  std::optional<std::string> port_;
  std::optional<std::string> pointer_;
};

}  // namespace

std::vector<std::string> example_queries(const cache::ServiceCache& cache, const dns::Name& zone,
                                         const server::Views& views, const SocketAddress& address) {
  // The Services of users say more than those of the system; among them, the order of names.
  const auto is_system = [](const kube::ObjectKey& key) {
    return key.name_space.starts_with("kube-") || key.name_space == "default";
  };
  std::vector<std::pair<kube::ObjectKey, cache::ServicePointer>> services;
  cache.for_each_service([&](const kube::ObjectKey& key, const cache::ServiceState& state) {
    if (state.service != nullptr) {
      services.emplace_back(key, state.service);
    }
  });
  std::sort(services.begin(), services.end(), [&](const auto& left, const auto& right) {
    return std::pair(is_system(left.first), left.first) <
           std::pair(is_system(right.first), right.first);
  });

  IpAddress reached = address.address;
  if (reached.is_unspecified()) {
    reached = reached.is_v4() ? IpAddress::v4(127, 0, 0, 1) : *IpAddress::from_text("::1");
  }
  Trial trial(views);
  Examples examples(zone, trial, fmt::format("dig @{} -p {}", reached.to_text(), address.port));
  for (const auto& [key, service] : services) {
    examples.consider(key, *service);
    if (examples.is_complete()) {
      break;
    }
  }
  return examples.lines();
}

std::string totals(std::span<const server::Counters* const> workers) {
  const auto sum = [&](auto counter) { return server::sum(workers, counter); };
  using server::Counters;
  const std::uint64_t udp = sum(&Counters::udp_queries);
  const std::uint64_t tcp = sum(&Counters::tcp_queries);
  std::string line = fmt::format("{} queries ({} udp, {} tcp)", udp + tcp, udp, tcp);

  for (std::size_t place = 0; place < dns::RcodePlaces; ++place) {
    std::uint64_t answers = 0;
    for (const Counters* worker : workers) {
      answers += worker->rcodes[place].value();
    }
    if (answers != 0) {
      line += fmt::format(", {} {}", answers, dns::rcode_place_to_text(place));
    }
  }
  for (const auto& [name, counter] :
       {std::pair{"dropped", &Counters::dropped}, std::pair{"truncated", &Counters::truncated},
        std::pair{"not sent", &Counters::send_failures},
        std::pair{"tcp connections", &Counters::tcp_connections},
        std::pair{"tcp refused", &Counters::tcp_refused},
        std::pair{"tcp timeouts", &Counters::tcp_timeouts},
        std::pair{"transfers", &Counters::transfers}}) {
    line += fmt::format(", {} {}", sum(counter), name);
  }
  return line;
}

}  // namespace waypost::ops
