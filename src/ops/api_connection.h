// From what an operator configured to a source that reads from the API server.

#pragma once

#include "base/error.h"
#include "kube/api_client.h"
#include "ops/config.h"
#include "sources/api_source.h"

namespace waypost::ops {

// How to reach the API server that `config` means: the kubeconfig's, with its server replaced if a
// URL is given; that of the URL alone, without credentials; otherwise that of the cluster around
// this process.
Result<kube::ApiAccess> api_access(const ApiConfig& config);

// What names need of the cluster with these options: which objects, and which of their fields.
sources::ApiOptions api_options(const records::Options& records,
                                const CompletionConfig& completion);
cache::Kept kept_for(const records::Options& records);

// `wanted`, as far as a source that was started for `started` has what it needs; the rest of it is
// as in `started`, until a restart.
records::Options within_reach(records::Options wanted, const records::Options& started);

}  // namespace waypost::ops
