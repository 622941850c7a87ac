// Each kind of object as a group of a snapshot, and back.
//
// Reading checks names, labels and words as the decoders of kube/ do, so that an object from a
// snapshot is as good as one from the API, whoever wrote the file.

#pragma once

#include "cache/snapshot_fields.h"
#include "kube/objects.h"

namespace waypost::cache {

// Both ways know every field: a field that is new in kube/objects.h does not compile here until it
// has a place at the end of its group (docs/snapshot-format.md, "How it may change").
void write(GroupWriter& to, const kube::Service& service);
void write(GroupWriter& to, const kube::EndpointSlice& slice);
void write(GroupWriter& to, const kube::Namespace& name_space);
void write(GroupWriter& to, const kube::Pod& pod);
void write(GroupWriter& to, const kube::Node& node);

// What is read is of use only if `from` has no problem afterwards.
void read(GroupReader& from, kube::Service& service);
void read(GroupReader& from, kube::EndpointSlice& slice);
void read(GroupReader& from, kube::Namespace& name_space);
void read(GroupReader& from, kube::Pod& pod);
void read(GroupReader& from, kube::Node& node);

}  // namespace waypost::cache
