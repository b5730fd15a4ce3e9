// What every fuzz target needs: the input as a source of choices and bytes, and a way to object.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace fuzz {

using bytes = std::span<const std::uint8_t>;

// A property that no input may break.
inline void require(bool holds, const char* property) noexcept {
  if (!holds) {
    std::fprintf(stderr, "broken: %s\n", property);
    std::abort();
  }
}

// Choices come off the front; an exhausted input chooses 0 for ever.
class input {
 public:
  explicit input(bytes all) noexcept : rest_(all) {}

  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
  std::uint8_t byte() noexcept {
    const bytes one = take(1);
    return one.empty() ? std::uint8_t{0} : one[0];
  }
  std::uint32_t number(int bytes_of_it) noexcept {
    std::uint32_t value = 0;
    for (int i = 0; i < bytes_of_it; ++i) {
      value = (value << 8) | byte();
    }
    return value;
  }
  bytes take(std::size_t count) noexcept {
    const bytes taken = rest_.first(std::min(count, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  bytes rest() noexcept { return take(rest_.size()); }

 private:
  bytes rest_;
};

// Lengths of pieces to cut a stream into: all at once, one byte each, or drawn from a seed.
class cuts {
 public:
  static constexpr std::uint32_t whole = 0;
  static constexpr std::uint32_t single_bytes = 1;
  explicit cuts(std::uint32_t seed) noexcept : seed_(seed), state_(seed) {}

  std::size_t next(std::size_t left) noexcept {
    if (seed_ == whole) {
      return left;
    }
    state_ = state_ * 1664525 + 1013904223;
    const std::size_t length = seed_ == single_bytes ? 1 : 1 + (state_ >> 16) % (1 + seed_ % 97);
    return std::min(length, left);
  }

 private:
  std::uint32_t seed_;
  std::uint32_t state_;
};

}  // namespace fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
