#include "wire/command.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "wire/frame.hpp"

namespace slk {
namespace {

constexpr std::uint32_t value_bytes_max = 0x7FFFFFFF;

std::string_view as_text(byte_view bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::uint8_t* put(std::uint8_t* out, const void* data, std::size_t size) noexcept {
  if (size != 0) {
    std::memcpy(out, data, size);
  }
  return out + size;
}

// A text behind its one-byte length.
std::uint8_t* put_name(std::uint8_t* out, std::string_view text) noexcept {
  *out = static_cast<std::uint8_t>(text.size());
  return put(out + 1, text.data(), text.size());
}

// Starts a command frame; its data is to follow. REQUIRES: the name is not empty.
std::uint8_t* put_command(std::uint8_t* out, std::string_view name,
                          std::size_t data_bytes) noexcept {
  out += encode_frame_header(out, 1 + name.size() + data_bytes, flag_command);
  return put_name(out, name);
}

// Splits a text behind its one-byte length off `rest`. False: it runs past the end.
bool take_name(byte_view& rest, std::string_view& out) noexcept {
  if (rest.empty() || rest.size() - 1 < rest[0]) {
    return false;
  }
  const std::size_t size = rest[0];
  out = as_text(rest.subspan(1, size));
  rest = rest.subspan(1 + size);
  return true;
}

}  // namespace

bool parse_command(byte_view body, command_view& out) noexcept {
  std::string_view name;
  if (!take_name(body, name) || name.empty()) {
    return false;
  }
  out.name = name;
  out.data = body;
  return true;
}

bool parse_ping(byte_view data, ping_view& out) noexcept {
  if (data.size() < 2) {
    return false;
  }
  out.ttl_tenths = load_be16(data.data());
  out.context = data.subspan(2, std::min(data.size() - 2, ping_context_bytes_max));
  return true;
}

bool parse_error(byte_view data, std::string_view& reason) noexcept {
  return take_name(data, reason);
}

std::size_t encode_ping(std::uint8_t* out, std::uint16_t ttl_tenths, byte_view context) noexcept {
  context = context.first(std::min(context.size(), ping_context_bytes_max));
  std::uint8_t* end = put_command(out, "PING", 2 + context.size());
  store_be16(end, ttl_tenths);
  end = put(end + 2, context.data(), context.size());
  return static_cast<std::size_t>(end - out);
}

std::size_t encode_pong(std::uint8_t* out, byte_view context) noexcept {
  context = context.first(std::min(context.size(), ping_context_bytes_max));
  std::uint8_t* end = put_command(out, "PONG", context.size());
  end = put(end, context.data(), context.size());
  return static_cast<std::size_t>(end - out);
}

std::size_t encode_error(std::uint8_t* out, std::string_view reason) noexcept {
  reason = reason.substr(0, error_reason_bytes_max);
  std::uint8_t* end = put_command(out, "ERROR", 1 + reason.size());
  end = put_name(end, reason);
  return static_cast<std::size_t>(end - out);
}

std::size_t property_bytes(std::string_view name, std::string_view value) noexcept {
  return 1 + name.size() + 4 + value.size();
}

std::size_t encode_property(std::uint8_t* out, std::string_view name,
                            std::string_view value) noexcept {
  assert(!name.empty() && name.size() <= 255 && value.size() <= value_bytes_max);
  std::uint8_t* end = put_name(out, name);
  store_be32(end, static_cast<std::uint32_t>(value.size()));
  end = put(end + 4, value.data(), value.size());
  return static_cast<std::size_t>(end - out);
}

bool metadata_reader::next(property_view& out) noexcept {
  if (rest_.empty() || malformed_) {
    return false;
  }
  malformed_ = true;  // until the property has proved whole
  std::string_view name;
  if (!take_name(rest_, name) || name.empty() || rest_.size() < 4) {
    return false;
  }
  const std::uint32_t size = load_be32(rest_.data());
  rest_ = rest_.subspan(4);
  if (size > value_bytes_max || size > rest_.size()) {
    return false;
  }
  out.name = name;
  out.value = as_text(rest_.first(size));
  rest_ = rest_.subspan(size);
  malformed_ = false;
  return true;
}

}  // namespace slk
