#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace slk {

// CLOCK_MONOTONIC in nanoseconds; for deadlines.
std::uint64_t monotonic_ns() noexcept;

namespace detail {
extern bool tick_is_tsc;
extern std::uint64_t ticks_per_us;
extern bool timed_waits;
}  // namespace detail

// Measures the tick rate once per process; every context calls it before its first thread starts.
void calibrate_ticks() noexcept;

// A cheap clock for spans of microseconds: the time stamp counter where it is invariant, else
// CLOCK_MONOTONIC. Only differences mean anything.
inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
  if (detail::tick_is_tsc) [[likely]] {
    return __rdtsc();
  }
#endif
  return monotonic_ns();
}

// False where the environment says SLK_TIMED_WAITS=0: nothing is then decided by how long something
// took (no spinning, no burst detection by gaps, a slow patrol), so that instruction counts under a
// tool that slows time down mean something. Read with calibrate_ticks().
inline bool timed_waits() noexcept {
  return detail::timed_waits;
}

inline std::uint64_t ticks_from_us(std::uint64_t microseconds) noexcept {
  return microseconds * detail::ticks_per_us;
}

}  // namespace slk
