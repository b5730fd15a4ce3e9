// A process between the runner and a measured process. Whatever a library does (forks, leaves its
// session, crashes, hangs), what it started ends with the sample, and ends when the runner is gone.
#pragma once

#include <sys/types.h>

namespace slkbench {

// To be called before the fork that makes the measured process: orphans below come to this one, and
// the end of `parent`, now or later, is noticed. Signals wait from here on.
void prepare_to_watch(pid_t parent) noexcept;

// The watcher's life. Says on standard output what `child` left behind, ends that, and ends as the
// child did; ends all of it when it is told to, or when the parent is gone.
[[noreturn]] void watch(pid_t child) noexcept;

// The measured process: a session of its own, which ends when `watcher` does.
void be_watched(pid_t watcher) noexcept;

}  // namespace slkbench
