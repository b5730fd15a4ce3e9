#include "wire/frame.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <vector>

namespace slk {
namespace {

using header_bytes = std::vector<std::uint8_t>;

header_bytes encode(std::uint64_t body_bytes, std::uint8_t flags) {
  std::array<std::uint8_t, frame_header_bytes_max> out{};
  const std::size_t n = encode_frame_header(out.data(), body_bytes, flags);
  CHECK(n == frame_header_bytes(body_bytes));
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n)};
}

// Every boundary: around each power of two.
std::vector<std::uint64_t> interesting_sizes() {
  std::vector<std::uint64_t> sizes{0};
  for (unsigned bit = 0; bit < 64; ++bit) {
    const std::uint64_t power = std::uint64_t{1} << bit;
    sizes.insert(sizes.end(), {power - 1, power, power + 1});
  }
  sizes.push_back(UINT64_MAX);
  return sizes;
}

TEST_CASE("a header survives the round trip, at every boundary and with every flag") {
  for (const std::uint64_t size : interesting_sizes()) {
    for (const std::uint8_t flags : std::initializer_list<std::uint8_t>{0, 1, 4, 5}) {
      const header_bytes wire = encode(size, flags);
      CHECK(wire.size() == (size <= 255 ? 2U : 9U));
      frame_header header{};
      REQUIRE(decode_frame_header(wire.data(), wire.size(), header));
      CHECK(header.body_bytes == size);
      CHECK(header.header_bytes == wire.size());
      CHECK(header.more() == ((flags & flag_more) != 0));
      CHECK(header.command() == ((flags & flag_command) != 0));
    }
  }
}

TEST_CASE("a part of a header asks for more and changes nothing") {
  for (const std::uint64_t size : interesting_sizes()) {
    const header_bytes wire = encode(size, flag_more);
    for (std::size_t n = 0; n < wire.size(); ++n) {
      const header_bytes part(wire.begin(), wire.begin() + static_cast<std::ptrdiff_t>(n));
      frame_header header{42, 42, 42};
      CHECK_FALSE(decode_frame_header(part.data(), part.size(), header));
      CHECK(header.body_bytes == 42);
    }
  }
}

TEST_CASE("golden bytes") {
  CHECK(encode(2, flag_more) == header_bytes{0x01, 0x02});
  CHECK(encode(0, 0) == header_bytes{0x00, 0x00});
  CHECK(encode(255, 0) == header_bytes{0x00, 0xFF});
  CHECK(encode(26, flag_command) == header_bytes{0x04, 0x1A});
  CHECK(encode(300, 0) == header_bytes{0x02, 0, 0, 0, 0, 0, 0, 0x01, 0x2C});
  CHECK(encode(0x0102030405060708, flag_more) == header_bytes{0x03, 1, 2, 3, 4, 5, 6, 7, 8});
}

TEST_CASE("the long form is accepted for small bodies") {
  const header_bytes wire{0x02, 0, 0, 0, 0, 0, 0, 0, 0};
  frame_header header{};
  REQUIRE(decode_frame_header(wire.data(), wire.size(), header));
  CHECK(header.body_bytes == 0);
  CHECK(header.header_bytes == 9);
}

TEST_CASE("reserved bits are ignored") {
  const header_bytes wire{0xF9, 0x03};
  frame_header header{};
  REQUIRE(decode_frame_header(wire.data(), wire.size(), header));
  CHECK(header.flags == flag_more);
  CHECK(header.body_bytes == 3);
}

TEST_CASE("a size above the limit is reported as it stands") {
  const header_bytes wire{0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
  frame_header header{};
  REQUIRE(decode_frame_header(wire.data(), wire.size(), header));
  CHECK(header.body_bytes == UINT64_MAX);
  CHECK(header.body_bytes > frame_body_bytes_max);
}

TEST_CASE("numbers are stored big endian at any alignment") {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t at = 0; at < 8; ++at) {
    store_be16(bytes.data() + at, 0x1234);
    CHECK(bytes[at] == 0x12);
    CHECK(load_be16(bytes.data() + at) == 0x1234);
    store_be32(bytes.data() + at, 0x12345678);
    CHECK(bytes[at + 3] == 0x78);
    CHECK(load_be32(bytes.data() + at) == 0x12345678);
    store_be64(bytes.data() + at, 0x123456789ABCDEF0);
    CHECK(bytes[at] == 0x12);
    CHECK(load_be64(bytes.data() + at) == 0x123456789ABCDEF0);
  }
}

}  // namespace
}  // namespace slk
