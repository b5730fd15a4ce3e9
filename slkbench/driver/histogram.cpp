#include "histogram.hpp"

#include <algorithm>
#include <cmath>

namespace slkbench {

namespace {

constexpr std::uint32_t v2_cookie = 0x1c84'9313;

template <class Unsigned>
void append_big_endian(std::string& bytes, Unsigned value) {
  for (int shift = 8 * (static_cast<int>(sizeof value) - 1); shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>(value >> shift & 0xff));
}

// Zigzag, then seven bits to a byte, the lowest first; a ninth byte has all its eight.
void append_count(std::string& bytes, std::int64_t value) {
  auto rest = static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
  for (int length = 1; rest > 0x7f && length < 9; ++length) {
    bytes.push_back(static_cast<char>((rest & 0x7f) | 0x80));
    rest >>= 7;
  }
  bytes.push_back(static_cast<char>(rest));
}

}  // namespace

histogram::histogram() : counts_(index_of(highest) / half_steps * half_steps + half_steps) {}

std::int64_t histogram::highest_at(std::size_t index) noexcept {
  const auto place = static_cast<std::int64_t>(index);
  const std::int64_t bucket = std::max<std::int64_t>(0, (place >> half_steps_log2) - 1);
  return ((place - bucket * half_steps + 1) << bucket) - 1;
}

std::int64_t histogram::max() const noexcept {
  return total_ == 0 ? 0 : highest_at(index_of(max_));
}

std::int64_t histogram::value_at(double fraction) const noexcept {
  const double rank = std::max(1.0, std::ceil(fraction * static_cast<double>(total_)));
  std::uint64_t seen = 0;
  for (std::size_t index = 0; index < counts_.size(); ++index) {
    seen += counts_[index];
    if (seen > 0 && static_cast<double>(seen) >= rank)
      return highest_at(index);
  }
  return max();
}

std::string histogram::encoded() const {
  std::string counts;
  const std::size_t end = total_ == 0 ? 0 : index_of(max_) + 1;
  for (std::size_t index = 0; index < end;) {
    std::size_t zeros = 0;
    while (index + zeros < end && counts_[index + zeros] == 0)
      ++zeros;
    // A run of zeros is one negative number, its length.
    if (zeros > 0)
      append_count(counts, zeros == 1 ? 0 : -static_cast<std::int64_t>(zeros));
    else
      append_count(counts, static_cast<std::int64_t>(counts_[index]));
    index += std::max<std::size_t>(1, zeros);
  }
  std::string bytes;
  append_big_endian(bytes, v2_cookie);
  append_big_endian(bytes, static_cast<std::uint32_t>(counts.size()));
  append_big_endian(bytes, std::uint32_t{0});  // the index that value 0 is moved by
  append_big_endian(bytes, static_cast<std::uint32_t>(significant_digits));
  append_big_endian(bytes, std::uint64_t{1});  // the lowest value to be told from 0
  append_big_endian(bytes, static_cast<std::uint64_t>(highest));
  append_big_endian(bytes, std::bit_cast<std::uint64_t>(1.0));  // what a count is multiplied by
  return bytes + counts;
}

}  // namespace slkbench
