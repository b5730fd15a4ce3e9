#include "base/clock.hpp"

#include <time.h>

#include <cstdlib>
#include <mutex>
#include <string_view>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace slk {

namespace detail {
bool tick_is_tsc = false;
std::uint64_t ticks_per_us = 1000;
bool timed_waits = true;
}  // namespace detail

std::uint64_t monotonic_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

namespace {

bool invariant_tsc() noexcept {
#if defined(__x86_64__)
  // AMD APM 3 / Intel SDM 2A: CPUID 8000_0007h, EDX bit 8.
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007u, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
#else
  return false;
#endif
}

void measure() noexcept {
  if (const char* choice = std::getenv("SLK_TIMED_WAITS"); choice != nullptr) {
    detail::timed_waits = std::string_view(choice) != "0";
  }
#if defined(__x86_64__)
  if (!invariant_tsc()) {
    return;
  }
  constexpr std::uint64_t window_ns = 200'000;
  const std::uint64_t start_ns = monotonic_ns();
  const std::uint64_t start_ticks = __rdtsc();
  std::uint64_t now_ns = start_ns;
  while (now_ns - start_ns < window_ns) {
    now_ns = monotonic_ns();
  }
  const std::uint64_t rate = (__rdtsc() - start_ticks) * 1000 / (now_ns - start_ns);
  if (rate > 0) {
    detail::ticks_per_us = rate;
    detail::tick_is_tsc = true;
  }
#endif
}

}  // namespace

void calibrate_ticks() noexcept {
  static std::once_flag once;
  std::call_once(once, measure);
}

}  // namespace slk
