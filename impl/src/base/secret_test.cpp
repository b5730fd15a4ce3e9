#include "base/secret.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <new>

namespace slk {

TEST_CASE("secrets: compared whole") {
  std::array<std::uint8_t, 32> a{};
  CHECK(same_secret(a.data(), a.data(), 0));
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::array<std::uint8_t, 32> b = a;
    CHECK(same_secret(a.data(), b.data(), a.size()));
    b[i] = 1;
    CHECK_FALSE(same_secret(a.data(), b.data(), a.size()));
  }
}

TEST_CASE("secrets: wiped with the object") {
  alignas(secret_text) std::array<std::uint8_t, sizeof(secret_text)> place{};
  auto* text = new (place.data()) secret_text;
  text->assign("swordfish");
  CHECK(text->view() == "swordfish");
  text->assign("cod");  // nothing of the longer one stays
  const auto holds = [&](std::string_view what) {
    return std::search(place.begin(), place.end(), what.begin(), what.end()) != place.end();
  };
  CHECK(holds("cod"));
  CHECK_FALSE(holds("fish"));
  text->~secret_text();
  CHECK_FALSE(holds("cod"));
}

TEST_CASE("secrets: random bytes differ") {
  std::array<std::uint8_t, 32> a{};
  std::array<std::uint8_t, 32> b{};
  REQUIRE(fill_random(a.data(), a.size()));
  REQUIRE(fill_random(b.data(), b.size()));
  CHECK(a != b);
}

}  // namespace slk
