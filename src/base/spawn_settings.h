// What posix_spawn() is told: files, signals, process group.

#pragma once

#include <spawn.h>

#include <string>
#include <vector>

namespace waypost {

// The program has no files but the standard streams, and signals as a shell sets them.
class SpawnSettings {
 public:
  // It has this process's streams and belongs to its process group.
  SpawnSettings();
  // It has these streams, `input` below 0: an empty one, and leads a group of its own.
  SpawnSettings(int input, int output, int errors);
  ~SpawnSettings();
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  const posix_spawn_file_actions_t* actions() const noexcept { return &actions_; }
  const posix_spawnattr_t* attributes() const noexcept { return &attributes_; }

 private:
  void finish(short more_flags);

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// As exec(3) wants arguments and variables: with a null pointer behind them.  Borrows from `texts`.
std::vector<char*> pointers_to(std::vector<std::string>& texts);

}  // namespace waypost
