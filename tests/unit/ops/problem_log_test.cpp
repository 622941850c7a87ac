#include "ops/problem_log.h"

#include "base/log.h"

#include <doctest/doctest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <memory>
#include <sstream>
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

// Catches what is logged during its life.
class CaughtLog {
 public:
  CaughtLog() : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>(
        "", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(std::move(logger));
  }
  ~CaughtLog() { spdlog::set_default_logger(before_); }
  CaughtLog(const CaughtLog&) = delete;
  CaughtLog& operator=(const CaughtLog&) = delete;

  // What was logged since the last call.
  std::string take() {
    std::string text = text_.str();
    text_.str("");
    return text;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace

TEST_CASE("a problem is logged when it appears, and when all have gone, and not in between") {
  CaughtLog log;
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
