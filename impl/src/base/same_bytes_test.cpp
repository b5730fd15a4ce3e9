#include "base/same_bytes.hpp"

#include <doctest/doctest.h>

#include <string>

namespace slk {

TEST_CASE("same_bytes: sees a difference at every place of every size") {
  for (std::size_t size = 0; size <= 40; ++size) {
    std::string a;
    for (std::size_t i = 0; i < size; ++i) {
      a.push_back(static_cast<char>(i * 7));
    }
    std::string b = a;
    CHECK(same_bytes(a, b));
    CHECK_FALSE(same_bytes(a, b + '\0'));
    for (char& c : b) {
      c = static_cast<char>(c ^ 0x40);
      CHECK_FALSE(same_bytes(a, b));
      c = static_cast<char>(c ^ 0x40);
    }
  }
}

}  // namespace slk
