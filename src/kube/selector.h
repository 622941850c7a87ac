// Label selectors as kubectl and CoreDNS' `labels` option write them.

#pragma once

#include "base/error.h"
#include "kube/objects.h"

#include <string>
#include <string_view>
#include <vector>

namespace waypost::kube {

// A conjunction of requirements: "app=web", "tier!=cache", "zone in (a,b)", "zone notin (c)",
// "canary",
// "!canary", separated by commas (Kubernetes "Labels and Selectors").  An empty selector matches
// all.
class Selector {
 public:
  static Result<Selector> from_text(std::string_view text);

  bool matches(const Labels& labels) const noexcept;
  bool empty() const noexcept { return requirements_.empty(); }

  friend bool operator==(const Selector&, const Selector&) = default;

 private:
  enum class Operator : std::uint8_t { In, NotIn, Exists, DoesNotExist };
  struct Requirement {
    std::string key;
    Operator operation = Operator::Exists;
    std::vector<std::string> values;
    friend bool operator==(const Requirement&, const Requirement&) = default;
  };
  std::vector<Requirement> requirements_;
};

}  // namespace waypost::kube
