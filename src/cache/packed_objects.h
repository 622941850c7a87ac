// Objects as octets: what ServiceCache holds in the place of kube/objects.h, for there are many.
//
// Packing is canonical: equal objects have equal octets, so that to compare is memcmp.  Key and
// resourceVersion are not part of them.  A Service takes about 40 octets, an IPv4 endpoint five,
// and a few more for its hostname or the name of its Pod.

#pragma once

#include "cache/octets.h"
#include "kube/objects.h"

namespace waypost::cache {

// Which fields that not every program reads are kept; the others are as if no object had them.
// Packing less is how memory is saved, so that whoever knows all readers of a cache decides.
struct Kept {
  bool labels = true;     // Of Services, Namespaces and Pods.
  bool selectors = true;  // Of Services.
  bool pod_names = true;  // Of endpoints.

  // True when everything that `other` keeps is kept.
  bool covers(const Kept& other) const noexcept {
    return (labels || !other.labels) && (selectors || !other.selectors) &&
           (pod_names || !other.pod_names);
  }
  friend bool operator==(const Kept&, const Kept&) = default;
};

// A field that is new in kube/objects.h does not compile here until it has a place in both ways.
// An absent part costs an octet at most.
void pack(OctetWriter& to, const kube::Service& service, const Kept& kept);
void pack(OctetWriter& to, const kube::EndpointSlice& slice, const Kept& kept);
void pack(OctetWriter& to, const kube::Pod& pod, const Kept& kept);

// Fill everything but key, resourceVersion and, for slices, the Service's name.  REQUIRES: the
// object is a fresh one.
void unpack(OctetReader& from, kube::Service& service);
void unpack(OctetReader& from, kube::EndpointSlice& slice);
void unpack(OctetReader& from, kube::Pod& pod);

}  // namespace waypost::cache
