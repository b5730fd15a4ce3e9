#include "wire/command.hpp"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "wire/frame.hpp"

namespace slk {
namespace {

using namespace std::string_literals;

byte_view bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string text_of(byte_view bytes) {
  return {bytes.begin(), bytes.end()};
}

// The one frame in `wire`, taken apart.
command_view command_in(std::string_view wire) {
  frame_header header{};
  REQUIRE(decode_frame_header(bytes_of(wire).data(), wire.size(), header));
  CHECK(header.command());
  CHECK_FALSE(header.more());
  REQUIRE(header.header_bytes + header.body_bytes == wire.size());
  command_view command;
  REQUIRE(parse_command(bytes_of(wire).subspan(header.header_bytes), command));
  return command;
}

TEST_CASE("a command is a name and data") {
  command_view command;
  const std::string body = "\x04PING\x01\x02";
  REQUIRE(parse_command(bytes_of(body), command));
  CHECK(command.name == "PING");
  CHECK(text_of(command.data) == "\x01\x02");
  for (const std::string& malformed : {""s, "\0"s, "\0abc"s, "\x05PING"s, "\xFFx"s}) {
    CHECK_FALSE(parse_command(bytes_of(malformed), command));
  }
}

TEST_CASE("PING and PONG, with every length of context") {
  for (std::size_t n = 0; n <= 20; ++n) {
    const std::string context(n, 'c');
    const std::string kept(std::min(n, ping_context_bytes_max), 'c');
    std::array<std::uint8_t, ping_frame_bytes_max> out{};
    const std::size_t ping_bytes = encode_ping(out.data(), 0x0102, bytes_of(context));
    const std::string ping = text_of({out.data(), ping_bytes});
    const command_view command = command_in(ping);
    CHECK(command.name == "PING");
    ping_view parsed;
    REQUIRE(parse_ping(command.data, parsed));
    CHECK(parsed.ttl_tenths == 0x0102);
    CHECK(text_of(parsed.context) == kept);

    const std::size_t pong_bytes = encode_pong(out.data(), bytes_of(context));
    REQUIRE(pong_bytes <= pong_frame_bytes_max);
    const std::string pong = text_of({out.data(), pong_bytes});
    CHECK(pong == "\x04"s + static_cast<char>(5 + kept.size()) + "\x04PONG" + kept);
  }
}

TEST_CASE("a PING from outside: too short, or with too much context") {
  ping_view ping;
  CHECK_FALSE(parse_ping({}, ping));
  CHECK_FALSE(parse_ping(bytes_of("\x01"), ping));
  const std::string crowded = "\x01\x02"s + std::string(100, 'x');
  REQUIRE(parse_ping(bytes_of(crowded), ping));
  CHECK(text_of(ping.context) == std::string(16, 'x'));
}

TEST_CASE("ERROR carries a reason of up to 255 bytes") {
  for (const std::size_t n : {0, 1, 7, 248, 249, 255, 256, 1000}) {
    const std::string reason(n, 'r');
    std::array<std::uint8_t, error_frame_bytes_max> out{};
    const std::size_t bytes = encode_error(out.data(), reason);
    REQUIRE(bytes <= out.size());
    const std::string wire = text_of({out.data(), bytes});
    const command_view command = command_in(wire);
    CHECK(command.name == "ERROR");
    std::string_view parsed;
    REQUIRE(parse_error(command.data, parsed));
    CHECK(parsed == reason.substr(0, 255));
  }
  std::string_view parsed;
  CHECK_FALSE(parse_error({}, parsed));
  CHECK_FALSE(parse_error(bytes_of("\x05"
                                   "shor"),
                          parsed));
}

using properties = std::vector<std::pair<std::string, std::string>>;

properties read_all(std::string_view metadata, bool& malformed) {
  properties found;
  metadata_reader reader(bytes_of(metadata));
  property_view property;
  while (reader.next(property)) {
    found.emplace_back(property.name, property.value);
  }
  malformed = reader.malformed();
  CHECK_FALSE(reader.next(property));
  return found;
}

TEST_CASE("metadata survives the round trip; cut anywhere else than between two, it is malformed") {
  const properties given = {{"Socket-Type", "DEALER"},
                            {"Identity", ""},
                            {"X-\x01", std::string(300, 'v')},
                            {std::string(255, 'n'), "\0\xFF"s}};
  std::string metadata;
  std::vector<std::size_t> borders{0};
  for (const auto& [name, value] : given) {
    std::vector<std::uint8_t> out(property_bytes(name, value));
    CHECK(encode_property(out.data(), name, value) == out.size());
    metadata.append(out.begin(), out.end());
    borders.push_back(metadata.size());
  }
  std::size_t whole = 0;
  for (std::size_t n = 0; n <= metadata.size(); ++n) {
    const bool at_border = whole + 1 < borders.size() && borders[whole + 1] == n;
    whole += at_border ? 1 : 0;
    const std::vector<char> part(metadata.begin(), metadata.begin() + static_cast<long>(n));
    bool malformed = false;
    const properties found = read_all({part.data(), part.size()}, malformed);
    CHECK(found == properties(given.begin(), given.begin() + static_cast<long>(whole)));
    CHECK(malformed == (borders[whole] != n));
  }
}

TEST_CASE("metadata with impossible lengths is malformed") {
  for (const std::string& metadata : {"\0\0\0\0\0"s, "\x01x\x80\0\0\0"s, "\x01x\xFF\xFF\xFF\xFF"s,
                                      "\x01x\0\0\0\x02v"s, "\x01"s, "\x01x\0\0\0"s}) {
    bool malformed = false;
    CHECK(read_all(metadata, malformed).empty());
    CHECK(malformed);
  }
}

}  // namespace
}  // namespace slk
