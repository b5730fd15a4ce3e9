#include "wire/z85.hpp"

#include <limits>

#include "wire/frame.hpp"

namespace slk {
namespace {

constexpr std::string_view alphabet =
    "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
static_assert(alphabet.size() == 85);

}  // namespace

bool encode_z85(char* out, std::span<const std::uint8_t> bytes) noexcept {
  if (bytes.size() % 4 != 0) {
    return false;
  }
  for (; !bytes.empty(); bytes = bytes.subspan(4), out += 5) {
    std::uint32_t value = load_be32(bytes.data());
    for (std::size_t i = 5; i-- > 0;) {
      out[i] = alphabet[value % 85];
      value /= 85;
    }
  }
  return true;
}

bool decode_z85(std::uint8_t* out, std::string_view text) noexcept {
  if (text.size() % 5 != 0) {
    return false;
  }
  for (; !text.empty(); text.remove_prefix(5), out += 4) {
    std::uint64_t value = 0;
    for (const char character : text.substr(0, 5)) {
      const std::size_t digit = character == '\0' ? alphabet.npos : alphabet.find(character);
      if (digit == alphabet.npos) {
        return false;
      }
      value = value * 85 + digit;
    }
    if (value > std::numeric_limits<std::uint32_t>::max()) {
      return false;
    }
    store_be32(out, static_cast<std::uint32_t>(value));
  }
  return true;
}

}  // namespace slk
