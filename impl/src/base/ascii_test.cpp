#include "base/ascii.hpp"

#include <doctest/doctest.h>

TEST_CASE("names are compared without case, in ASCII alone") {
  CHECK(slk::equal_ignoring_case("Socket-Type", "sOCKET-tYPE"));
  CHECK(slk::equal_ignoring_case("", ""));
  CHECK_FALSE(slk::equal_ignoring_case("a", ""));
  CHECK_FALSE(slk::equal_ignoring_case("Identity", "Identit"));
  CHECK_FALSE(slk::equal_ignoring_case("[", "{"));
  CHECK_FALSE(slk::equal_ignoring_case("\xC4", "\xE4"));
}
