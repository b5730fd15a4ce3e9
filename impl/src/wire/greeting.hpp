#pragma once
// The greeting: the first 64 bytes of each direction. Neither side waits for the other's.
//
//   0      FF              signature
//   1-8    any             padding; sent as zeros, never checked
//   9      7F              signature; bit 0 set marks a peer that has versions at all
//   10     03              major version
//   11     01              minor version
//   12-31  "NULL" + zeros  mechanism: "NULL", "PLAIN" or "CURVE"
//   32     00              as-server: 01 where we are the mechanism's server; not checked, since
//                          libzmq does not say it
//   33-63  zeros           filler, never checked

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace slk {

constexpr std::size_t greeting_bytes = 64;
constexpr std::size_t greeting_major_at = 10;
constexpr std::size_t greeting_minor_at = 11;
constexpr std::uint8_t zmtp_major = 3;
constexpr std::uint8_t zmtp_minor = 1;

using greeting_buffer = std::array<std::uint8_t, greeting_bytes>;

// What we send.
greeting_buffer make_greeting(std::string_view mechanism = "NULL", bool as_server = false) noexcept;

enum class greeting_error { none, signature, version, mechanism };

// Judges a peer's greeting as its bytes arrive, so that a stray HTTP client is refused at its first
// byte: is `byte`, arriving at `index`, acceptable?
greeting_error check_greeting_byte(std::size_t index, std::uint8_t byte,
                                   std::string_view mechanism = "NULL") noexcept;

}  // namespace slk
