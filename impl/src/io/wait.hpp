#pragma once

#include <poll.h>

#include <cstdint>
#include <span>

#include "base/clock.hpp"

namespace slk {

// A point in time, or never.
class deadline {
 public:
  // timeout_ms: -1 never.
  static deadline in_ms(long timeout_ms) noexcept {
    return timeout_ms < 0
               ? deadline(never_ns)
               : deadline(monotonic_ns() + static_cast<std::uint64_t>(timeout_ms) * 1'000'000u);
  }

  static deadline in_us(std::uint64_t timeout_us) noexcept {
    return deadline(monotonic_ns() + timeout_us * 1'000u);
  }

  [[nodiscard]] bool never() const noexcept { return at_ns_ == never_ns; }
  [[nodiscard]] bool passed() const noexcept { return !never() && monotonic_ns() >= at_ns_; }
  [[nodiscard]] std::uint64_t at_ns() const noexcept { return at_ns_; }

 private:
  static constexpr std::uint64_t never_ns = UINT64_MAX;
  explicit deadline(std::uint64_t at_ns) noexcept : at_ns_(at_ns) {}
  std::uint64_t at_ns_;
};

// poll(2) until a deadline. 0: something happened or time is up; else EINTR, ENOMEM or EINVAL.
[[nodiscard]] int wait_for(std::span<pollfd> items, const deadline& until) noexcept;

}  // namespace slk
