// A tree in one line: strings in quotes, other scalars bare.

#pragma once

#include "kube/tree.h"

#include <string>

namespace waypost::test {

std::string show(const kube::TreeNode& node);

}  // namespace waypost::test
