// What happens to the API source, as lines for the operator.

#pragma once

#include "sources/kind_status.h"

#include <functional>
#include <utility>

namespace waypost::ops {

// Control thread only.
class SourceLog final : public sources::SourceEvents {
 public:
  // `synced` is called when the world is complete.
  explicit SourceLog(std::function<void()> synced) : synced_(std::move(synced)) {}

  void on_bad_object(const std::string& message) override;
  void on_lost(const sources::KindStatus& status, const std::string& message) override;
  void on_restored(const sources::KindStatus& status) override;
  void on_forbidden(const sources::KindStatus& status, const std::string& message,
                    const std::string& rule) override;
  void on_mismatch(const sources::KindStatus& status, const std::string& message) override;
  void on_listed(const sources::KindStatus& status) override;
  void on_synced() override { synced_(); }

 private:
  std::function<void()> synced_;
};

}  // namespace waypost::ops
