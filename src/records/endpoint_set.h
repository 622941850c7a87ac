// The endpoints of one version of a Service while it is being made.
//
// Private to the room.  records/service_data.h says in which two forms endpoints come.

#pragma once

#include "records/endpoint_changes.h"
#include "records/service_data.h"

#include <cstddef>
#include <string>
#include <vector>

namespace waypost::records {

struct EndpointSet {
  // Packed addresses, each once, ascending.
  std::string v4;
  std::string v6;
  std::vector<PortList> groups;  // That an endpoint has, each once.
  // As in a ServiceData whose texts begin with `label_text`; empty in the plain form.
  std::vector<ServiceData::Label> labels;
  std::vector<ServiceData::Member> members;
  std::string label_text;

  // How many endpoints have the ports of that group, counting every slice that says so.
  std::size_t copies_of_group(std::size_t group) const noexcept;
};

// The endpoints of `before`, null for none, with `changes` applied.  A change that takes away what
// is not there does nothing.  What lies between changes is copied as a whole, so that a change of
// one among thousands costs little more than that.
EndpointSet merge_endpoints(const ServiceData* before, const EndpointChanges& changes);

}  // namespace waypost::records
