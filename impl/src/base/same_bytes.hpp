#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace slk {

constexpr std::size_t same_bytes_inline_max = 16;

// Equality of two texts that are mostly short and of sizes the compiler does not know: up to 16
// bytes without a call.
inline bool same_bytes(std::string_view a, std::string_view b) noexcept {
  const std::size_t size = a.size();
  if (size != b.size()) {
    return false;
  }
  const auto both_ends_same = [&](auto word) {
    decltype(word) x;
    decltype(word) y;
    std::memcpy(&x, a.data(), sizeof word);
    std::memcpy(&y, b.data(), sizeof word);
    const auto difference = x ^ y;
    std::memcpy(&x, a.data() + size - sizeof word, sizeof word);
    std::memcpy(&y, b.data() + size - sizeof word, sizeof word);
    return (difference | (x ^ y)) == 0;
  };
  if (size > same_bytes_inline_max) {
    return std::memcmp(a.data(), b.data(), size) == 0;
  }
  if (size >= 8) {
    return both_ends_same(std::uint64_t{});
  }
  if (size >= 4) {
    return both_ends_same(std::uint32_t{});
  }
  for (std::size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace slk
