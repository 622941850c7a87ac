// Makes the versions of a Service that the index holds.
//
// Private to the room: pure functions that the Publisher puts together.

#pragma once

#include "kube/objects.h"
#include "records/endpoint_changes.h"
#include "records/service_data.h"

namespace waypost::records {

// What kind of names the Service has.
ServiceData::Kind kind_of(const kube::Service& service);

// The version of `service` that follows `before`, which is of the same kind, or null; `changes` are
// those of its endpoints.  Costs a copy of the version before, and work for each change.
ServiceData::Pointer make_service_data(const kube::Service& service, const ServiceData* before,
                                       const EndpointChanges& changes);

}  // namespace waypost::records
