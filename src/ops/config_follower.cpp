#include "ops/config_follower.h"

#include "base/checksum.h"
#include "base/log.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace waypost::ops {

ConfigFollower::ConfigFollower(boost::asio::io_context& context, ConfigOrigin origin, Load load,
                               Take take)
    : context_(context),
      origin_(std::move(origin)),
      load_(std::move(load)),
      take_(std::move(take)),
      text_(read_config_text(origin_)) {
  watch();
}

// Also what a Corefile imports: which folders these are, it says itself.
void ConfigFollower::watch() {
  if (!origin_.file) {
    return;
  }
  watch_.emplace(context_, [this] { on_folder_changed(); });
  watch_->follow(text_.folders);
}

void ConfigFollower::on_folder_changed() {
  // The folder may hold other files, and editors touch a file more than once.
  if (ConfigText text = read_config_text(origin_); text != text_) {
    read(std::move(text), false);
  }
}

void ConfigFollower::read(ConfigText text, bool is_asked_for) {
  const bool has_moved = text.folders != text_.folders;
  text_ = std::move(text);
  if (has_moved) {
    watch();
  }
  std::expected<LoadedConfig, Problems> next = load_(origin_);
  const Problems fresh = problems_.update(next ? Problems{} : next.error());
  failures_ += next ? 0 : 1;
  if (next) {
    for (const std::string& note : next->notes) {
      log::warn("{}", note);
    }
    take_(std::move(next->config));
  } else if (!fresh.empty()) {
    log::error("the configuration before stays in force");
  } else if (is_asked_for) {
    const Problems& known = next.error();
    const std::size_t more = known.size() - 1;
    log::error("{}{}; the configuration is still refused, and the one before stays in force",
               known.front().message,
               more == 0 ? "" : fmt::format(", and {} more problem{}", more, more == 1 ? "" : "s"));
  }
}

std::optional<ReloadStatus> ConfigFollower::status() const {
  if (!origin_.file) {
    return std::nullopt;
  }
  Checksum checksum;
  checksum.add({reinterpret_cast<const std::uint8_t*>(text_.text.data()), text_.text.size()});
  return ReloadStatus{.checksum = checksum.value(), .failures = failures_};
}

void report_changes(const Config& started, const Config& before, const Config& after) {
  const ConfigChanges changes = compare(before, after);
  if (!changes.live.empty()) {
    log::info("configuration read again, now in force: {}", fmt::join(changes.live, ", "));
  }
  const std::vector<std::string_view> waiting = compare(started, after).at_restart;
  for (const std::string_view key : changes.at_restart) {
    if (std::find(waiting.begin(), waiting.end(), key) == waiting.end()) {
      log::info("{}: is again what is in force", key);
    } else {
      log::warn("{}: changed, takes effect at restart", key);
    }
  }
}

}  // namespace waypost::ops
