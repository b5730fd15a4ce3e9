// How often values of which size occurred: counts in the bucket layout of HdrHistogram
// (hdrhistogram.org), whose tools read what encoded() gives.
//
// Three significant digits from 1 ns to a minute in 216 KiB, all of it touched when it is made, so
// that recording neither allocates nor faults in a page.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace slkbench {

class histogram {
 public:
  static constexpr std::int64_t highest = 60'000'000'000;
  static constexpr int significant_digits = 3;

  histogram();

  // What lies outside of 0 to highest counts as the nearer of the two.
  void record(std::int64_t value) noexcept {
    value = value < 0 ? 0 : value > highest ? highest : value;
    ++counts_[index_of(value)];
    ++total_;
    if (value > max_)
      max_ = value;
  }

  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  // The largest value that is not told from the largest recorded one; 0 if there is none.
  [[nodiscard]] std::int64_t max() const noexcept;
  // Nearest rank: the largest value that is not told from the smallest one that at least `fraction`
  // of all do not exceed. 0 if there is none.
  [[nodiscard]] std::int64_t value_at(double fraction) const noexcept;
  // The V2 encoding, before compression.
  [[nodiscard]] std::string encoded() const;

 private:
  // 2048 steps tell three digits apart; each further bucket has as wide a step as two before it.
  static constexpr int half_steps_log2 = 10;
  static constexpr std::int64_t half_steps = 1 << half_steps_log2;
  static constexpr std::uint64_t first_bucket_mask = 2 * half_steps - 1;

  static int bucket_of(std::int64_t value) noexcept {
    const auto bits = static_cast<std::uint64_t>(value) | first_bucket_mask;
    return static_cast<int>(std::bit_width(bits)) - (half_steps_log2 + 1);
  }
  static std::size_t index_of(std::int64_t value) noexcept {
    const int bucket = bucket_of(value);
    return static_cast<std::size_t>(bucket * half_steps + (value >> bucket));
  }
  static std::int64_t highest_at(std::size_t index) noexcept;

  std::vector<std::uint64_t> counts_;
  std::uint64_t total_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace slkbench
