// Whether somebody else computes on the core of this thread, while messages pass.
//
// A core with two hardware threads gives each about half of what it can do while the other one is
// busy. In a virtual machine the other one may be a stranger's, so that neither /proc nor the clock
// of stolen time tells of him; a fixed piece of arithmetic that keeps all units of a core busy
// does, by taking up to twice as long. Measured here: a stream of messages then takes 1.7 times as
// long, strangers come and go several times a second, and most of the noise between samples is
// theirs.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "clock.hpp"

namespace slkbench {

// Of one thread; it takes some 2 kB on its stack, and no memory later.
class core_probe {
 public:
  // In the timed part of a sample. Together they take a quarter of a millisecond.
  static constexpr std::uint64_t looks = 256;

  // Takes about 1 µs on a core of one's own.
  void look() noexcept {
    compute(rounds_to_warm);  // or the code's way into the caches would count
    const std::int64_t began_ns = now_ns();
    compute(rounds);
    if (taken_ < looks)
      took_ns_[taken_++] = now_ns() - began_ns;
  }

  // Mean of what the arithmetic took, but for looks in which the thread was held up altogether; -1
  // for none.
  [[nodiscard]] double mean_ns() const noexcept {
    if (taken_ == 0)
      return -1;
    const auto end = took_ns_.begin() + static_cast<std::ptrdiff_t>(taken_);
    const std::int64_t longest_ns = held_up_from * *std::min_element(took_ns_.begin(), end);
    std::int64_t sum_ns = 0;
    std::int64_t count = 0;
    for (auto each = took_ns_.begin(); each != end; ++each) {
      if (*each < longest_ns) {
        sum_ns += *each;
        ++count;
      }
    }
    return count == 0 ? -1 : static_cast<double>(sum_ns) / static_cast<double>(count);
  }

  // Where the stretch in front of look 1, 2, ... looks ends, of messages from begin to end.
  [[nodiscard]] static std::uint64_t end_of(std::uint64_t look, std::uint64_t begin,
                                            std::uint64_t end) noexcept {
    return look == looks ? end : begin + (end - begin) * look / looks;
  }

 private:
  // Two hardware threads that share a core take twice as long; an interrupt, much more.
  static constexpr std::int64_t held_up_from = 3;
  static constexpr int rounds = 1000;
  static constexpr int rounds_to_warm = 64;

  // Chains that do not wait for each other, more than a core has units for. One code for all.
  [[gnu::noinline]] static void compute(int count) noexcept {
    std::uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
    for (int i = 0; i < count; ++i) {
      step(a, 3);
      step(b, 5);
      step(c, 3);
      step(d, 5);
      step(e, 7);
      step(f, 9);
    }
  }
  // Kept from the compiler, which would do it all at once.
  [[gnu::always_inline]] static void step(std::uint64_t& chain, std::uint64_t by) noexcept {
    chain += 1;
    asm volatile("" : "+r"(chain));
    chain ^= by;
    asm volatile("" : "+r"(chain));
  }

  std::array<std::int64_t, looks> took_ns_;
  std::size_t taken_ = 0;
};

}  // namespace slkbench
