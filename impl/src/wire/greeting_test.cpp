#include "wire/greeting.hpp"

#include <doctest/doctest.h>

#include <string>

namespace slk {
namespace {

using namespace std::string_literals;

TEST_CASE("our greeting, byte by byte") {
  const std::string expected = "\xFF"s + std::string(8, '\0') + "\x7F\x03\x01NULL" +
                               std::string(16, '\0') + std::string(32, '\0');
  const greeting_buffer greeting = make_greeting();
  CHECK(std::string(greeting.begin(), greeting.end()) == expected);
}

// What each position accepts, over all 256 values.
TEST_CASE("what a peer's greeting may say") {
  const greeting_buffer ours = make_greeting();
  for (std::size_t at = 0; at < greeting_bytes; ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      greeting_error expected = greeting_error::none;
      if ((at == 0 && value != 0xFF) || (at == 9 && value % 2 == 0)) {
        expected = greeting_error::signature;
      } else if (at == 10 && value < 3) {
        expected = greeting_error::version;
      } else if (at >= 12 && at < 32 && value != ours[at]) {
        expected = greeting_error::mechanism;
      }
      CAPTURE(at);
      CAPTURE(value);
      CHECK(check_greeting_byte(at, static_cast<std::uint8_t>(value)) == expected);
    }
  }
}

}  // namespace
}  // namespace slk
