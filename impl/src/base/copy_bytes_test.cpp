#include "base/copy_bytes.hpp"

#include <doctest/doctest.h>

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

}  // namespace slk
