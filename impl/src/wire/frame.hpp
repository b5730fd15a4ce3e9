#pragma once
// ZMTP 3.1 framing: everything that follows the greeting is a sequence of frames.
//
//   frame  = flags size body
//   flags  = 1 byte: bit 0 MORE, bit 1 LONG, bit 2 COMMAND, bits 3-7 reserved (sent as 0, ignored)
//   size   = 1 byte, or with LONG 8 bytes big endian; counts the body alone; at most 2^63-1
//   body   = size bytes
//
// Sent: the short form up to 255 bytes, the long one above. Accepted: the long form for any size.
// A message is a run of frames of which all but the last carry MORE. A command frame never carries
// MORE and may stand between the parts of a message.
//
// Example: the message ["id", "", 300 bytes of 'x']
//   01 02 69 64                        MORE,  2 bytes, "id"
//   01 00                              MORE,  0 bytes
//   02 00 00 00 00 00 00 01 2C 78 ...  LONG, 300 bytes
//
// Pure and inline: it runs once per frame on the thread of the application.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace slk {

constexpr std::uint8_t flag_more = 1;
constexpr std::uint8_t flag_long = 2;
constexpr std::uint8_t flag_command = 4;

constexpr std::size_t short_frame_header_bytes = 1 + 1;  // flags, size
constexpr std::size_t long_frame_header_bytes = 1 + 8;   // flags, size
constexpr std::size_t frame_header_bytes_max = long_frame_header_bytes;
constexpr std::uint64_t short_frame_body_bytes_max = 255;
constexpr std::uint64_t frame_body_bytes_max = (std::uint64_t{1} << 63) - 1;

struct frame_header {
  std::uint64_t body_bytes;
  std::uint32_t header_bytes;
  std::uint8_t flags;  // MORE, COMMAND and LONG as received; reserved bits are cleared

  bool more() const noexcept { return (flags & flag_more) != 0; }
  bool command() const noexcept { return (flags & flag_command) != 0; }
};

// Bytes that the header of such a frame takes: 2 or 9.
inline std::size_t frame_header_bytes(std::uint64_t body_bytes) noexcept;

// Writes the header; `flags` is made of flag_more and flag_command, LONG is added as needed.
// REQUIRES: room for frame_header_bytes(body_bytes) at `out`. Returns the bytes written.
inline std::size_t encode_frame_header(std::uint8_t* out, std::uint64_t body_bytes,
                                       std::uint8_t flags) noexcept;

// encode_frame_header() of a message's last frame with a short header. REQUIRES: at most
// short_frame_body_bytes_max.
inline void encode_short_header(std::uint8_t* out, std::size_t body_bytes) noexcept;

// The body's size, of a short frame that is here whole and is all of its message; -1: it is not
// that.
inline int decode_short_frame(const std::uint8_t* data, std::size_t available) noexcept;

// False: `available` bytes are not yet a whole header, `out` is untouched. Any size is reported as
// it stands, above frame_body_bytes_max too: the caller knows its limit and refuses.
inline bool decode_frame_header(const std::uint8_t* data, std::size_t available,
                                frame_header& out) noexcept;

// Unaligned big endian numbers, for frames and commands alike.
inline void store_be16(std::uint8_t* out, std::uint16_t value) noexcept;
inline void store_be32(std::uint8_t* out, std::uint32_t value) noexcept;
inline void store_be64(std::uint8_t* out, std::uint64_t value) noexcept;
inline std::uint16_t load_be16(const std::uint8_t* data) noexcept;
inline std::uint32_t load_be32(const std::uint8_t* data) noexcept;
inline std::uint64_t load_be64(const std::uint8_t* data) noexcept;

// Implementation details follow.

static_assert(std::endian::native == std::endian::little, "the byte swaps assume it");

inline void store_be16(std::uint8_t* out, std::uint16_t value) noexcept {
  value = __builtin_bswap16(value);
  std::memcpy(out, &value, sizeof value);
}

inline void store_be32(std::uint8_t* out, std::uint32_t value) noexcept {
  value = __builtin_bswap32(value);
  std::memcpy(out, &value, sizeof value);
}

inline void store_be64(std::uint8_t* out, std::uint64_t value) noexcept {
  value = __builtin_bswap64(value);
  std::memcpy(out, &value, sizeof value);
}

inline std::uint16_t load_be16(const std::uint8_t* data) noexcept {
  std::uint16_t value;
  std::memcpy(&value, data, sizeof value);
  return __builtin_bswap16(value);
}

inline std::uint32_t load_be32(const std::uint8_t* data) noexcept {
  std::uint32_t value;
  std::memcpy(&value, data, sizeof value);
  return __builtin_bswap32(value);
}

inline std::uint64_t load_be64(const std::uint8_t* data) noexcept {
  std::uint64_t value;
  std::memcpy(&value, data, sizeof value);
  return __builtin_bswap64(value);
}

inline std::size_t frame_header_bytes(std::uint64_t body_bytes) noexcept {
  return body_bytes <= short_frame_body_bytes_max ? short_frame_header_bytes
                                                  : long_frame_header_bytes;
}

inline std::size_t encode_frame_header(std::uint8_t* out, std::uint64_t body_bytes,
                                       std::uint8_t flags) noexcept {
  if (body_bytes <= short_frame_body_bytes_max) [[likely]] {
    out[0] = flags;
    out[1] = static_cast<std::uint8_t>(body_bytes);
    return short_frame_header_bytes;
  }
  out[0] = static_cast<std::uint8_t>(flags | flag_long);
  store_be64(out + 1, body_bytes);
  return long_frame_header_bytes;
}

inline void encode_short_header(std::uint8_t* out, std::size_t body_bytes) noexcept {
  const auto both = static_cast<std::uint16_t>(body_bytes << 8);  // flags 0, size
  std::memcpy(out, &both, sizeof both);
}

inline int decode_short_frame(const std::uint8_t* data, std::size_t available) noexcept {
  if (available < short_frame_header_bytes) [[unlikely]] {
    return -1;
  }
  std::uint16_t both;
  std::memcpy(&both, data, sizeof both);
  const std::size_t body_bytes = both >> 8;
  const bool is_plain = (both & (flag_more | flag_long | flag_command)) == 0;
  if (!is_plain || body_bytes > available - short_frame_header_bytes) [[unlikely]] {
    return -1;
  }
  return static_cast<int>(body_bytes);
}

inline bool decode_frame_header(const std::uint8_t* data, std::size_t available,
                                frame_header& out) noexcept {
  if (available < short_frame_header_bytes) [[unlikely]] {
    return false;
  }
  const std::uint8_t flags = data[0] & (flag_more | flag_long | flag_command);
  if ((flags & flag_long) == 0) [[likely]] {
    out.body_bytes = data[1];
    out.header_bytes = short_frame_header_bytes;
    out.flags = flags;
    return true;
  }
  if (available < long_frame_header_bytes) [[unlikely]] {
    return false;
  }
  out.body_bytes = load_be64(data + 1);
  out.header_bytes = long_frame_header_bytes;
  out.flags = flags;
  return true;
}

}  // namespace slk
