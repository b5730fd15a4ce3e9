#pragma once

#include <algorithm>
#include <cstdint>

namespace slk {

// Whether a blocking call should look for a while before it sleeps. Spinning spares a wake-up,
// which is dear on a virtual machine, but only where the awaited thing comes soon and from another
// core. So it goes by success: two tries of three have to succeed, and one try in many, ever more,
// finds out whether it pays again. Less would burn half of a CPU at some 10,000 messages a second:
// a thread that is woken late finds the next message soon, in time for a spin that succeeds, is
// then early for the one after, and spins in vain, and so on in turns.
class spin_budget {
 public:
  // Below 20 µs the median of a round trip did not gain, below 50 µs its tail did not.
  static constexpr std::uint64_t spin_us = 50;

  // several_cpus: this thread may run on more than one.
  explicit spin_budget(bool several_cpus) noexcept : score_(several_cpus ? score_start : 0) {}

  [[nodiscard]] bool should_spin() noexcept {
    if (score_ >= score_threshold) {
      return true;
    }
    if (++waits_ < waits_per_probe_) {
      return false;
    }
    waits_ = 0;
    return true;
  }

  void spun(bool successfully) noexcept {
    if (successfully) {
      score_ = std::min(score_ + gain, score_max);
      waits_per_probe_ = waits_per_probe_min;
    } else if (score_ >= score_threshold) {
      score_ -= loss;
    } else {
      score_ = 0;
      waits_per_probe_ = std::min(2 * waits_per_probe_, waits_per_probe_max);
    }
  }

 private:
  static constexpr unsigned score_max = 64;
  static constexpr unsigned score_start = 32;
  static constexpr unsigned score_threshold = 16;
  static constexpr unsigned gain = 4;
  static constexpr unsigned loss = 8;
  static constexpr unsigned waits_per_probe_min = 32;
  static constexpr unsigned waits_per_probe_max = 512;

  unsigned score_;
  unsigned waits_per_probe_ = waits_per_probe_min;
  unsigned waits_ = 0;  // since the last probe
};

}  // namespace slk
