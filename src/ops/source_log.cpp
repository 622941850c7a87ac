#include "ops/source_log.h"

#include "base/log.h"
#include "sources/api_kind.h"

namespace waypost::ops {
namespace {

std::string_view name_of(const sources::KindStatus& status) {
  return sources::resource_of(status.kind).plural;
}

}  // namespace

void SourceLog::on_bad_object(const std::string& message) {
  log::error("{}; its last good version stays in force, if there was one", message);
}

void SourceLog::on_lost(const sources::KindStatus& status, const std::string& message) {
  log::warn("{}: not in touch with the API server, trying again: {}{}", name_of(status), message,
            status.is_listed ? "; what is known stays in force" : "");
}

void SourceLog::on_restored(const sources::KindStatus& status) {
  log::info("{}: in touch with the API server again", name_of(status));
}

void SourceLog::on_forbidden(const sources::KindStatus& status, const std::string& message,
                             const std::string& rule) {
  log::error("{}: {}; add to the ClusterRole of this process: {}", name_of(status), message, rule);
}

void SourceLog::on_mismatch(const sources::KindStatus& status, const std::string& message) {
  log::warn("{}: {}; reading them all again", name_of(status), message);
}

void SourceLog::on_listed(const sources::KindStatus& status) {
  log::info("{}: {} known, up to version {}", name_of(status), status.objects,
            status.resource_version);
}

}  // namespace waypost::ops
