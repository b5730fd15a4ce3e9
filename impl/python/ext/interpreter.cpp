#include "interpreter.hpp"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <chrono>

namespace slk::python {

namespace {

using clock = std::chrono::steady_clock;

// Longer than another thread takes to fill or to empty a pipe of some thousand messages.
constexpr auto patience = std::chrono::microseconds(200);
constexpr int pauses_per_look = 4;
constexpr int looks_per_clock = 16;
constexpr unsigned skip_max = 255;

// Written at import.
bool several_cpus = false;

// After looking out in vain a thread does so ever more rarely: the GIL is with one that computes.
thread_local unsigned vain_lookouts = 0;
thread_local unsigned lookouts_to_skip = 0;

#if PY_VERSION_HEX < 0x030C0000
// Later versions tell a thread of itself alone.
constexpr bool tells_of_gil = true;
bool gil_is_taken() noexcept {
  return _PyThreadState_UncheckedGet() != nullptr;
}
#else
constexpr bool tells_of_gil = false;
bool gil_is_taken() noexcept {
  return false;
}
#endif

void pause_briefly() noexcept {
  for (int i = 0; i < pauses_per_look; ++i) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
}

// True: the GIL is free; false: patience is over.
bool see_gil_become_free() noexcept {
  const auto start = clock::now();
  do {
    for (int i = 0; i < looks_per_clock; ++i) {
      if (!gil_is_taken()) {
        return true;
      }
      pause_briefly();
    }
  } while (clock::now() - start < patience);
  return false;
}

}  // namespace

unsigned detail::generation = 0;

void watch_forks() noexcept {
  pthread_atfork(nullptr, nullptr, [] { ++detail::generation; });
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  several_cpus = sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) > 1;
}

void look_out_for_gil() noexcept {
  if (!tells_of_gil || !several_cpus || !gil_is_taken()) {
    return;
  }
  if (lookouts_to_skip > 0) {
    --lookouts_to_skip;
    return;
  }
  const bool found = see_gil_become_free();
  vain_lookouts = found ? 0 : std::min(2 * vain_lookouts + 1, skip_max);
  lookouts_to_skip = vain_lookouts;
  if (found) {
    pause_briefly();  // who gives it up says so first, and does so then
  }
}

}  // namespace slk::python
