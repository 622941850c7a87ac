#include "records/service_writer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace waypost::records {
namespace {

// What a version says about endpoints, as lines: "label address group*copies".
std::vector<std::string> lines_of(const ServiceData& data) {
  std::vector<std::string> lines;
  ServiceData::LabelBuffer buffer;
  for (std::uint32_t i = 0; i < data.endpoint_count(); ++i) {
    const ServiceData::Endpoint endpoint = data.endpoint(i);
    const std::string label(as_text(data.label_wire(endpoint, buffer).subspan(1)));
    CHECK(data.find_endpoint(as_bytes(label))->label == i);
    for (std::uint32_t m = 0; m < endpoint.member_count; ++m) {
      const ServiceData::Member member = data.member(endpoint.first_member + m);
      const IpAddress address = IpAddress::from_octets(data.address(member.address));
      CHECK(data.find_address(address) == member.address);
      std::string ports;
      for (const ServiceData::Port& port : data.group(member.group)) {
        ports += std::string(data.name(port)) + ":" + std::to_string(port.port) + ",";
      }
      lines.push_back(label + " " + address.to_text() + " " + ports + "*" +
                      std::to_string(member.copies));
    }
  }
  std::sort(lines.begin(), lines.end());
  return lines;
}

// The same, kept the simple way: a count for each endpoint.
class Model {
 public:
  void apply(const EndpointChanges& changes) {
    for (const EndpointChanges::Change& change : changes.changes) {
      std::string ports;
      for (const kube::EndpointPort& port : changes.groups[change.group]) {
        ports += port.name + ":" + std::to_string(port.port) + ",";
      }
      std::string label = change.label;
      if (label.empty()) {
        label = DashedLabel(change.address).text();
      }
      int& copies = copies_[label + " " + change.address.to_text() + " " + ports];
      copies += change.copies;
      REQUIRE(copies >= 0);
    }
    std::erase_if(copies_, [](const auto& entry) { return entry.second == 0; });
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> lines;
    for (const auto& [what, copies] : copies_) {
      lines.push_back(what + "*" + std::to_string(copies));
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  }

 private:
  std::map<std::string, int> copies_;
};

// Slices that come, go and overlap.  `variety` 0: all endpoints go by their address and have the
// same ports.
class RandomSlices {
 public:
  RandomSlices(unsigned seed, unsigned variety) : random_(seed), variety_(variety) {}

  EndpointChanges step() {
    // Endpoints that are there are taken away as often as others are added.
    EndpointChanges changes;
    changes.groups = {{{"http", kube::Protocol::Tcp, 80}}, {}, {{"http", kube::Protocol::Tcp, 81}}};
    std::map<std::tuple<std::string, IpAddress, std::uint32_t>, int> net;
    for (unsigned i = 0; i < 1 + pick(6); ++i) {
      if (!there_.empty() && pick(2) == 0) {
        const auto at = there_.begin() + pick(static_cast<unsigned>(there_.size()));
        --net[*at];
        there_.erase(at);
        continue;
      }
      IpAddress address = IpAddress::v4(10, 0, static_cast<std::uint8_t>(pick(2)),
                                        static_cast<std::uint8_t>(pick(20)));
      if (pick(4) == 0) {
        address = *IpAddress::from_text("fd00::" + std::to_string(pick(9)));
      } else if (pick(20) == 0) {
        address = *IpAddress::from_text("::10.0.0.1");  // Its label reads as another address.
      }
      std::string label;
      if (variety_ > 0 && pick(4) < variety_) {
        label =
            pick(8) == 0 ? "10-0-0-" + std::to_string(pick(20)) : "db-" + std::to_string(pick(9));
      }
      there_.emplace_back(label, address, variety_ == 0 ? 0 : pick(3));
      ++net[there_.back()];
    }
    for (const auto& [key, copies] : net) {
      if (copies != 0) {
        const auto& [label, address, group] = key;
        changes.changes.push_back({label, !label.empty(), address, group, copies});
      }
    }
    return changes;
  }

 private:
  unsigned pick(unsigned bound) { return static_cast<unsigned>(random_() % bound); }

  std::minstd_rand random_;
  unsigned variety_;
  std::vector<std::tuple<std::string, IpAddress, std::uint32_t>> there_;
};

kube::Service headless() {
  kube::Service service;
  service.headless = true;
  return service;
}

EndpointChanges change(const std::string& label, const IpAddress& address, int copies,
                       std::uint16_t port = 80) {
  return {.groups = {{{"http", kube::Protocol::Tcp, port}}},
          .changes = {{label, !label.empty(), address, 0, copies}}};
}

}  // namespace

TEST_CASE("a version that followed every change says what is left of them") {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    RandomSlices slices(seed, seed % 4);
    Model model;
    ServiceData::Pointer data;
    std::size_t endpoints = 0;
    for (int step = 0; step < 60; ++step) {
      const EndpointChanges changes = slices.step();
      model.apply(changes);
      data = make_service_data(headless(), data.get(), changes);
      REQUIRE(lines_of(*data) == model.lines());
      endpoints += data->endpoint_count();
    }
    CHECK(endpoints > 60);
  }
}

TEST_CASE(
    "endpoints that go by their address take four octets, others are in the form with labels") {
  const IpAddress one = IpAddress::v4(10, 0, 0, 1);
  const IpAddress two = IpAddress::v4(10, 0, 0, 2);
  ServiceData::Pointer data = make_service_data(headless(), nullptr, change("", one, 1));
  const std::size_t size = data->bytes();
  data = make_service_data(headless(), data.get(), change("", two, 1));
  CHECK(data->is_plain());
  CHECK(data->bytes() == size + 4);

  const auto leaves_plain = [&](const EndpointChanges& there, const EndpointChanges& back) {
    const auto labelled = make_service_data(headless(), data.get(), there);
    const auto plain = make_service_data(headless(), labelled.get(), back);
    CHECK(plain->is_plain());
    CHECK(lines_of(*plain) == lines_of(*data));
    CHECK(plain->bytes() == data->bytes());
    return !labelled->is_plain();
  };
  CHECK(leaves_plain(change("db-0", one, 1), change("db-0", one, -1)));
  CHECK(leaves_plain(change("", one, 1), change("", one, -1)));          // In two slices.
  CHECK(leaves_plain(change("", one, 1, 81), change("", one, -1, 81)));  // With other ports.
  const IpAddress three = IpAddress::v4(10, 0, 0, 3);
  CHECK(!leaves_plain(change("", three, 1), change("", three, -1)));
}

}  // namespace waypost::records
