#include "kube/traffic.h"

#include <limits>

namespace waypost::kube {

void Placements::add(std::string_view node, std::string_view zone_hints,
                     std::string_view node_hints, bool is_further) {
  constexpr std::size_t Max = std::numeric_limits<std::uint16_t>::max();
  Place place;
  place.is_further = is_further;
  place.node_size = static_cast<std::uint16_t>(node.substr(0, Max).size());
  const auto fits = [](std::string_view text) { return text.size() <= Max ? text.size() : 0; };
  place.zone_hints_size = static_cast<std::uint16_t>(fits(zone_hints));
  place.node_hints_size = static_cast<std::uint16_t>(fits(node_hints));
  std::string text(node.substr(0, place.node_size));
  text.append(zone_hints.substr(0, place.zone_hints_size));
  text.append(node_hints.substr(0, place.node_hints_size));
  // Neighbours are often alike.
  place.at = places_.empty() ? 0 : places_.back().at;
  if (std::string_view(text_).substr(place.at) != text) {
    place.at = static_cast<std::uint32_t>(text_.size());
    text_ += text;
  }
  places_.push_back(place);
}

std::string_view Placements::node(std::size_t i) const noexcept {
  if (i >= places_.size()) {
    return {};
  }
  return std::string_view(text_).substr(places_[i].at, places_[i].node_size);
}

std::string_view Placements::zone_hints(std::size_t i) const noexcept {
  if (i >= places_.size()) {
    return {};
  }
  const Place& place = places_[i];
  return std::string_view(text_).substr(place.at + place.node_size, place.zone_hints_size);
}

std::string_view Placements::node_hints(std::size_t i) const noexcept {
  if (i >= places_.size()) {
    return {};
  }
  const Place& place = places_[i];
  return std::string_view(text_).substr(
      std::size_t{place.at} + place.node_size + place.zone_hints_size, place.node_hints_size);
}

bool has_name(std::string_view list, std::string_view name) noexcept {
  while (!list.empty() && !name.empty()) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == name) {
      return true;
    }
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return false;
}

}  // namespace waypost::kube
