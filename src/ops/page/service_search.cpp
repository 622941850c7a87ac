#include "ops/page/service_search.h"

#include <algorithm>
#include <cctype>
#include <tuple>

namespace waypost::ops {
namespace {

// The first names in order, at most so many.
class FirstKeys {
 public:
  explicit FirstKeys(std::size_t most) : most_(most) {}

  void add(std::string_view name_space, std::string_view name) {
    ++seen_;
    if (heap_.size() == most_) {
      const kube::ObjectKey& last = heap_.front();
      if (std::tuple(name_space, name) >=
          std::tuple<std::string_view, std::string_view>(last.name_space, last.name)) {
        return;
      }
      std::ranges::pop_heap(heap_);
      heap_.pop_back();
    }
    heap_.push_back({std::string(name_space), std::string(name)});
    std::ranges::push_heap(heap_);
  }

  std::size_t seen() const noexcept { return seen_; }
  std::vector<kube::ObjectKey> take() {
    std::ranges::sort_heap(heap_);
    return std::move(heap_);
  }

 private:
  std::size_t most_;
  std::size_t seen_ = 0;
  std::vector<kube::ObjectKey> heap_;  // The last one in order is on top.
};

}  // namespace

FoundServices find_services(const cache::ServiceCache& cache, std::string_view zone,
                            std::string_view wanted, std::size_t page) {
  std::string part(wanted);
  std::ranges::transform(part, part.begin(), [](unsigned char c) { return std::tolower(c); });
  page = std::clamp<std::size_t>(page, 1, MaxServicePages);

  FirstKeys keys(page * ServicesOnPage);
  if (const auto address = IpAddress::from_text(part)) {
    cache.for_each_service([&](const kube::ObjectKey& key, const cache::ServiceState& state) {
      if (state.service && std::ranges::find(state.service->cluster_ips, *address) !=
                               state.service->cluster_ips.end()) {
        keys.add(key.name_space, key.name);
      }
    });
  } else {
    std::string names;
    cache.for_each_service_key([&](std::string_view name_space, std::string_view name) {
      // A blank, which no name has, keeps the two forms apart.
      names.assign(name_space).append("/").append(name).append(" ").append(name).append(".");
      names.append(name_space).append(".svc.").append(zone);
      if (names.find(part) != std::string::npos) {
        keys.add(name_space, name);
      }
    });
  }

  FoundServices found;
  found.matches = keys.seen();
  const std::size_t pages = (found.matches + ServicesOnPage - 1) / ServicesOnPage;
  found.pages = std::clamp<std::size_t>(pages, 1, MaxServicePages);
  found.page = std::min(page, found.pages);
  const std::vector<kube::ObjectKey> first = keys.take();
  const std::size_t begin = (found.page - 1) * ServicesOnPage;
  for (std::size_t i = begin; i < std::min(first.size(), begin + ServicesOnPage); ++i) {
    found.keys.push_back(first[i]);
  }
  return found;
}

}  // namespace waypost::ops
