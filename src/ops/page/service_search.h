// Which Services a person means, page by page.

#pragma once

#include "cache/service_cache.h"
#include "kube/objects.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

inline constexpr std::size_t ServicesOnPage = 20;
inline constexpr std::size_t MaxServicePages = 50;

struct FoundServices {
  std::vector<kube::ObjectKey> keys;  // Of this page, in the order of namespace and name.
  std::size_t matches = 0;            // On all pages.
  std::size_t page = 1;               // The last one, when a later one was asked for.
  std::size_t pages = 1;              // That can be asked for: at most MaxServicePages.
};

// Services, and names that only slices have, whose "namespace/name" or "name.namespace.svc.ZONE."
// contains `wanted`, whatever its case; for an IP address, those that have it as a clusterIP.  An
// empty `wanted` finds all.  Looks at every name, without unpacking objects except for an address;
// holds no more names than are on the pages up to `page`.
FoundServices find_services(const cache::ServiceCache& cache, std::string_view zone,
                            std::string_view wanted, std::size_t page);

}  // namespace waypost::ops
