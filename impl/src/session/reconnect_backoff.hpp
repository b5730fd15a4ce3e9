#pragma once

#include <algorithm>
#include <cstdint>
#include <random>

namespace slk {

// How long to wait before the next attempt to connect: with a maximum, twice as long each time up
// to it; without one, the interval and a random part of it, so that many peers of a restarted
// server do not come back as one.
class reconnect_backoff {
 public:
  reconnect_backoff(int interval_ms, int interval_max_ms)
      : interval_ms_(interval_ms), interval_max_ms_(interval_max_ms), current_ms_(interval_ms) {}

  [[nodiscard]] bool enabled() const noexcept { return interval_ms_ >= 0; }

  [[nodiscard]] std::uint64_t next_ms() {
    if (interval_max_ms_ > interval_ms_) {
      const int wait_ms = current_ms_;
      current_ms_ =
          current_ms_ > interval_max_ms_ / 2 ? interval_max_ms_ : std::max(1, 2 * current_ms_);
      return static_cast<std::uint64_t>(wait_ms);
    }
    std::uniform_int_distribution<int> jitter(0, interval_ms_);
    return static_cast<std::uint64_t>(interval_ms_) + static_cast<std::uint64_t>(jitter(random_));
  }

  void reset() noexcept { current_ms_ = interval_ms_; }

 private:
  int interval_ms_;
  int interval_max_ms_;
  int current_ms_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace slk
