#include "wire/greeting.hpp"

#include <algorithm>

namespace slk {
namespace {

constexpr std::size_t signature_end = 9;
constexpr std::size_t mechanism_at = 12;
constexpr std::size_t mechanism_bytes = 20;

constexpr std::size_t as_server_at = mechanism_at + mechanism_bytes;

constexpr std::uint8_t mechanism_byte(std::string_view mechanism, std::size_t i) {
  return i < mechanism.size() ? static_cast<std::uint8_t>(mechanism[i]) : std::uint8_t{0};
}

}  // namespace

greeting_buffer make_greeting(std::string_view mechanism, bool as_server) noexcept {
  greeting_buffer greeting{};
  greeting[0] = 0xFF;
  greeting[signature_end] = 0x7F;
  greeting[greeting_major_at] = zmtp_major;
  greeting[greeting_minor_at] = zmtp_minor;
  std::copy(mechanism.begin(), mechanism.end(), greeting.begin() + mechanism_at);
  greeting[as_server_at] = as_server ? 1 : 0;
  return greeting;
}

greeting_error check_greeting_byte(std::size_t index, std::uint8_t byte,
                                   std::string_view mechanism) noexcept {
  if (index == 0 && byte != 0xFF) {
    return greeting_error::signature;
  }
  if (index == signature_end && (byte & 1) == 0) {
    return greeting_error::signature;
  }
  if (index == greeting_major_at && byte < zmtp_major) {
    return greeting_error::version;
  }
  if (index >= mechanism_at && index < mechanism_at + mechanism_bytes &&
      byte != mechanism_byte(mechanism, index - mechanism_at)) {
    return greeting_error::mechanism;
  }
  return greeting_error::none;
}

}  // namespace slk
