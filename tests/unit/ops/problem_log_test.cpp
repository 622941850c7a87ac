#include "ops/problem_log.h"

#include "support/caught_log.h"

#include <doctest/doctest.h>

#include <string>

namespace waypost::ops {
namespace {

Problems problems(std::initializer_list<const char*> messages) {
  Problems out;
  for (const char* message : messages) {
    out.push_back({ErrorKind::InvalidInput, message});
  }
  return out;
}

}  // namespace

TEST_CASE("a problem is logged when it appears, and when all have gone, and not in between") {
  test::CaughtLog log;
  ProblemLog reported("manifests");
  reported.update({});
  CHECK(log.take() == "");
  CHECK(reported.update(problems({"a:1: bad"})).size() == 1);
  CHECK(log.take() == "error a:1: bad\n");
  CHECK(reported.update(problems({"a:1: bad"})).empty());
  CHECK(log.take() == "");
  CHECK(reported.update(problems({"b:2: bad", "a:1: bad"})).size() == 1);
  CHECK(log.take() == "error b:2: bad\n");
  reported.update(problems({"b:2: bad"}));
  CHECK(log.take() == "");
  reported.update({});
  CHECK(log.take() == "info manifests: all problems are mended\n");
  reported.update({});
  CHECK(log.take() == "");
  reported.update(problems({"a:1: bad"}));
  CHECK(log.take() == "error a:1: bad\n");
}

}  // namespace waypost::ops
