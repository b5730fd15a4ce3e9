// Waiting without sleeping, for the lower bound: gives way now and then, and never for ever.
#pragma once

#include <sched.h>

#include <cstdint>

#include "clock.hpp"

namespace slkbench {

inline void pause_cpu() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

class spin_wait {
 public:
  explicit spin_wait(int timeout_ms) noexcept : timeout_ns_(std::int64_t{timeout_ms} * 1'000'000) {}

  // False once the time is up. The clock is read and the CPU given up every 1024th time only.
  bool again() noexcept {
    if (++turns_ % 1024 != 0) {
      pause_cpu();
      return true;
    }
    const std::int64_t now = now_ns();
    if (deadline_ns_ == 0)
      deadline_ns_ = now + timeout_ns_;
    sched_yield();
    return now < deadline_ns_;
  }

 private:
  std::int64_t timeout_ns_;
  std::int64_t deadline_ns_ = 0;
  std::uint32_t turns_ = 0;
};

}  // namespace slkbench
