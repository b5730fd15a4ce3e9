#pragma once
// Z85 (ZeroMQ RFC 32): four bytes as five printable characters, for keys in texts.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace slk {

// Characters for so many bytes, without a NUL.
constexpr std::size_t z85_characters(std::size_t bytes) noexcept {
  return bytes / 4 * 5;
}

// Writes z85_characters() of them. False: the size is no multiple of 4.
[[nodiscard]] bool encode_z85(char* out, std::span<const std::uint8_t> bytes) noexcept;

// Writes four bytes for five characters. False: the length is no multiple of 5, a character is
// none of Z85's, or a group stands for more than 32 bits; `out` is then of no use.
[[nodiscard]] bool decode_z85(std::uint8_t* out, std::string_view text) noexcept;

}  // namespace slk
