// The timed messages of a sample in equal parts: how far the time per message varies inside one
// process, where the sample itself tells only of the whole.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace slkbench {

class slices {
 public:
  static constexpr std::uint64_t count = 16;
  // Below this many messages in a part, its clock counts for more than they do.
  static constexpr std::uint64_t messages_min = 100;

  explicit slices(std::int64_t begin_ns) noexcept { at_ns_[0] = begin_ns; }

  // To be called `count` times.
  void ended(std::int64_t now_ns) noexcept { at_ns_[++ended_] = now_ns; }
  [[nodiscard]] std::int64_t end_ns() const noexcept { return at_ns_[count]; }

  // Standard deviation of ln(time) over the parts; -1 where they are too short to tell.
  [[nodiscard]] double sd(std::uint64_t messages) const noexcept {
    if (messages < count * messages_min)
      return -1;
    std::array<double, count> logs{};
    double mean = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::int64_t part_ns = at_ns_[i + 1] - at_ns_[i];
      if (part_ns <= 0)
        return -1;
      logs[i] = std::log(static_cast<double>(part_ns));
      mean += logs[i] / count;
    }
    double squares = 0;
    for (const double each : logs)
      squares += (each - mean) * (each - mean);
    return std::sqrt(squares / (count - 1));
  }

 private:
  std::array<std::int64_t, count + 1> at_ns_{};
  std::size_t ended_ = 0;
};

}  // namespace slkbench
