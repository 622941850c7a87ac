#include "base/spawn_settings.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>

namespace waypost {

SpawnSettings::SpawnSettings() {
  posix_spawn_file_actions_init(&actions_);
  posix_spawnattr_init(&attributes_);
  finish(0);
}

SpawnSettings::SpawnSettings(int input, int output, int errors) {
  posix_spawn_file_actions_init(&actions_);
  posix_spawnattr_init(&attributes_);
  if (input < 0) {
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
  }
  posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO);
  posix_spawnattr_setpgroup(&attributes_, 0);
  finish(POSIX_SPAWN_SETPGROUP);
}

SpawnSettings::~SpawnSettings() {
  posix_spawn_file_actions_destroy(&actions_);
  posix_spawnattr_destroy(&attributes_);
}

// After the streams are in place, which are made of files that are closed here.
void SpawnSettings::finish(short more_flags) {
  // Asio does not mark its sockets close-on-exec.
  posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
  sigset_t signals;
  sigemptyset(&signals);
  posix_spawnattr_setsigmask(&attributes_, &signals);
  sigfillset(&signals);
  posix_spawnattr_setsigdefault(&attributes_, &signals);
  posix_spawnattr_setflags(&attributes_, static_cast<short>(POSIX_SPAWN_SETSIGMASK |
                                                            POSIX_SPAWN_SETSIGDEF | more_flags));
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace waypost
