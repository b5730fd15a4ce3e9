#pragma once

#include <cstdint>

namespace slk {

// Whether a blocking call should look for a while before it sleeps. Spinning spares a wake-up,
// which is dear on a virtual machine, but only where the awaited thing comes soon and from another
// core. So it goes by success: two tries of three have to succeed, and one try in many finds out
// whether it pays again. Less would burn half of a CPU at some 10,000 messages a second: a thread
// that is woken late finds the next message soon, in time for a spin that succeeds, is then early
// for the one after, and spins in vain, and so on in turns.
class spin_budget {
 public:
  // Below 20 µs the median of a round trip did not gain, below 50 µs its tail did not.
  static constexpr std::uint64_t spin_us = 50;

  // several_cpus: this thread may run on more than one.
  explicit spin_budget(bool several_cpus) noexcept
      : several_cpus_(several_cpus), score_(several_cpus ? score_start : 0) {}

  [[nodiscard]] bool several_cpus() const noexcept { return several_cpus_; }

  [[nodiscard]] bool should_spin() noexcept {
    return score_ >= score_threshold || ++waits_ % probe_interval == 0;
  }

  void spun(bool successfully) noexcept {
    if (successfully) {
      score_ = score_ + gain > score_max ? score_max : score_ + gain;
    } else {
      score_ = score_ < loss ? 0 : score_ - loss;
    }
  }

 private:
  static constexpr unsigned score_max = 64;
  static constexpr unsigned score_start = 32;
  static constexpr unsigned score_threshold = 16;
  static constexpr unsigned gain = 4;
  static constexpr unsigned loss = 8;
  static constexpr unsigned probe_interval = 32;

  const bool several_cpus_;
  unsigned score_;
  unsigned waits_ = 0;
};

}  // namespace slk
