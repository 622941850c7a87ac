// The pages about Services: the list of those that were looked for, and one of them.

#pragma once

#include "cache/service_cache.h"
#include "dns/name.h"
#include "kube/objects.h"
#include "ops/page/html.h"
#include "ops/page/page_query.h"
#include "ops/page/page_server.h"
#include "ops/trial.h"

#include <cstddef>
#include <string_view>

namespace waypost::ops {

// The form and the page of the list that `query` asks for: `q`, `page`.  With `trial`, each Service
// has the answers to A and AAAA; null where no names are answered.
Html service_list(const cache::ServiceCache& cache, const dns::Name& zone, const PageQuery& query,
                  Trial* trial);

// The form alone.
Html service_form(std::string_view wanted);

// "/service?namespace=shop&name=web" as a link.
Html service_link(const kube::ObjectKey& key);

// What `query` names: `namespace`, `name`.
kube::ObjectKey service_key(const PageQuery& query);

// What is told of a Service that is not there.
PageContent no_such_service(const kube::ObjectKey& key);

// What the Service is, and its endpoints.  REQUIRES: the cache has `state`.
Html service_facts(const kube::ObjectKey& key, const cache::ServiceState& state);

// The answers to every question that the schema has for a Service: addresses, ports, reverse names.
Html service_answers(const kube::ObjectKey& key, const cache::ServiceState& state,
                     const dns::Name& zone, Trial& trial);

}  // namespace waypost::ops
