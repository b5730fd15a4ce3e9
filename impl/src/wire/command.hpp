#pragma once
// Bodies of command frames, and the metadata inside READY.
//
//   command  = name-length(1) name data
//   READY    data = property*             property = name-length(1) name value-length(4, BE) value
//   ERROR    data = reason-length(1) reason
//   PING     data = ttl(2, BE, tenths of a second) context(0-16)
//   PONG     data = context, the same bytes
//
// Property names are compared without case and are never empty; a value has at most 2^31-1 bytes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/ascii.hpp"

namespace slk {

using byte_view = std::span<const std::uint8_t>;

struct command_view {
  std::string_view name;
  byte_view data;
};

// False: the body is empty or its name runs past its end. The views point into `body`.
bool parse_command(byte_view body, command_view& out) noexcept;

struct ping_view {
  std::uint16_t ttl_tenths = 0;  // tenths of a second; 0: no limit
  byte_view context;
};

constexpr std::size_t ping_context_bytes_max = 16;
constexpr std::size_t ping_frame_bytes_max = 2 + 1 + 4 + 2 + ping_context_bytes_max;
constexpr std::size_t pong_frame_bytes_max = 2 + 1 + 4 + ping_context_bytes_max;
constexpr std::size_t error_reason_bytes_max = 255;
constexpr std::size_t error_frame_bytes_max = 9 + 1 + 5 + 1 + error_reason_bytes_max;

// Parses the data of a PING. False: shorter than its ttl. A longer context is cut to 16 bytes.
bool parse_ping(byte_view data, ping_view& out) noexcept;

// Parses the data of an ERROR. False: the reason runs past the end.
bool parse_error(byte_view data, std::string_view& reason) noexcept;

// These write a whole frame, header included, and return its length. REQUIRES: room for the
// *_frame_bytes_max above. A context or reason that is too long is cut.
std::size_t encode_ping(std::uint8_t* out, std::uint16_t ttl_tenths, byte_view context) noexcept;
std::size_t encode_pong(std::uint8_t* out, byte_view context) noexcept;
std::size_t encode_error(std::uint8_t* out, std::string_view reason) noexcept;

// Bytes that encode_property() writes.
std::size_t property_bytes(std::string_view name, std::string_view value) noexcept;

// REQUIRES: a name of 1-255 bytes, room for property_bytes(). Returns the bytes written.
std::size_t encode_property(std::uint8_t* out, std::string_view name,
                            std::string_view value) noexcept;

struct property_view {
  std::string_view name;
  std::string_view value;
};

// Iterates over metadata:
//   metadata_reader reader(data); property_view property;
//   while (reader.next(property)) ...;
//   if (reader.malformed()) refuse;
class metadata_reader {
 public:
  explicit metadata_reader(byte_view metadata) noexcept : rest_(metadata) {}

  // False at the end, or at the first property that is malformed.
  bool next(property_view& out) noexcept;
  // A length ran past the end, a name was empty, a value too long, or bytes were left over.
  bool malformed() const noexcept { return malformed_; }

 private:
  byte_view rest_;
  bool malformed_ = false;
};

}  // namespace slk
