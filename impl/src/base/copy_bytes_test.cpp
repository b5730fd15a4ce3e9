#include "base/copy_bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace slk {

TEST_CASE("copy_bytes: copies every byte of every size, and none beyond") {
  constexpr std::uint8_t untouched = 0xEE;
  for (std::size_t size = 0; size <= 200; ++size) {
    std::vector<std::uint8_t> from(size);
    for (std::size_t i = 0; i < size; ++i) {
      from[i] = static_cast<std::uint8_t>(i + 1);
    }
    std::vector<std::uint8_t> to(size + 2, untouched);
    copy_bytes(to.data() + 1, from.data(), size);
    CHECK(to.front() == untouched);
    CHECK(to.back() == untouched);
    CHECK(std::vector<std::uint8_t>(to.begin() + 1, to.end() - 1) == from);
  }
}

TEST_CASE("copy_bytes: large copies at every distance of source and destination") {
  std::vector<std::uint8_t> from(20'000);
  for (std::size_t i = 0; i < from.size(); ++i) {
    from[i] = static_cast<std::uint8_t>(i * 31 + i / 256);
  }
  for (const std::size_t size : {2047u, 2048u, 4100u, 9999u}) {
    for (std::size_t distance = 0; distance < 70; ++distance) {
      std::vector<std::uint8_t> to(size + distance);
      copy_bytes(to.data() + distance, from.data(), size);
      CHECK(std::equal(to.begin() + static_cast<std::ptrdiff_t>(distance), to.end(), from.begin()));
    }
  }
}

TEST_CASE("move_bytes_down: ranges that overlap") {
  std::vector<std::uint8_t> original(12'000);
  for (std::size_t i = 0; i < original.size(); ++i) {
    original[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  }
  for (const std::size_t shift : {0u, 1u, 9u, 63u, 64u, 1000u, 4040u, 4090u, 4095u}) {
    std::vector<std::uint8_t> bytes = original;
    move_bytes_down(bytes.data(), bytes.data() + shift, 7000);
    CHECK(std::equal(bytes.begin(), bytes.begin() + 7000,
                     original.begin() + static_cast<std::ptrdiff_t>(shift)));
  }
}

}  // namespace slk
