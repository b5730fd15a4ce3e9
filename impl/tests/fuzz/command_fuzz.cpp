// Bodies of commands: views stay within the body, what is understood can be written again, and
// what is written is understood.
//
// Input: the body of a command frame.
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz_input.hpp"
#include "wire/command.hpp"
#include "wire/frame.hpp"

namespace {

using fuzz::require;

bool within(fuzz::bytes body, const void* data, std::size_t size) {
  const auto* at = static_cast<const std::uint8_t*>(data);
  return size == 0 || (at >= body.data() && at + size <= body.data() + body.size());
}

// The command in a whole frame that we wrote.
slk::command_view written(fuzz::bytes frame) {
  slk::frame_header header;
  require(slk::decode_frame_header(frame.data(), frame.size(), header) && header.command() &&
              !header.more() && header.header_bytes + header.body_bytes == frame.size(),
          "a command frame is whole");
  slk::command_view command;
  require(slk::parse_command(frame.subspan(header.header_bytes), command), "it parses");
  return command;
}

void check_ping(const slk::command_view& command) {
  slk::ping_view ping;
  if (!slk::parse_ping(command.data, ping)) {
    return;
  }
  require(ping.context.size() <= slk::ping_context_bytes_max &&
              within(command.data, ping.context.data(), ping.context.size()),
          "a context lies in the PING");
  std::array<std::uint8_t, slk::ping_frame_bytes_max> out;
  const auto pong = written({out.data(), slk::encode_pong(out.data(), ping.context)});
  require(pong.name == "PONG" && std::ranges::equal(pong.data, ping.context), "PONG echoes");
  const auto again =
      written({out.data(), slk::encode_ping(out.data(), ping.ttl_tenths, ping.context)});
  slk::ping_view echo;
  require(slk::parse_ping(again.data, echo) && echo.ttl_tenths == ping.ttl_tenths &&
              std::ranges::equal(echo.context, ping.context),
          "PING is read as written");
}

void check_error(const slk::command_view& command) {
  std::string_view reason;
  if (!slk::parse_error(command.data, reason)) {
    return;
  }
  require(within(command.data, reason.data(), reason.size()), "a reason lies in the ERROR");
  std::array<std::uint8_t, slk::error_frame_bytes_max> out;
  const auto again = written({out.data(), slk::encode_error(out.data(), reason)});
  std::string_view echo;
  require(again.name == "ERROR" && slk::parse_error(again.data, echo) && echo == reason,
          "ERROR is read as written");
}

void check_metadata(fuzz::bytes metadata) {
  slk::metadata_reader reader(metadata);
  slk::property_view property;
  std::vector<std::uint8_t> again;
  while (reader.next(property)) {
    require(!property.name.empty() && property.name.size() <= 255, "a property has a name");
    require(within(metadata, property.name.data(), property.name.size()) &&
                within(metadata, property.value.data(), property.value.size()),
            "a property lies in the metadata");
    const std::size_t at = again.size();
    again.resize(at + slk::property_bytes(property.name, property.value));
    require(
        slk::encode_property(again.data() + at, property.name, property.value) == again.size() - at,
        "a property is as long as announced");
  }
  require(!reader.next(property), "the end is the end");
  require(
      again.size() <= metadata.size() && std::ranges::equal(again, metadata.first(again.size())),
      "properties are written as read");
  require(reader.malformed() == (again.size() != metadata.size()), "all of it was understood");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::bytes body{data, size};
  slk::command_view command;
  if (slk::parse_command(body, command)) {
    require(!command.name.empty() && within(body, command.name.data(), command.name.size()) &&
                1 + command.name.size() + command.data.size() == size,
            "a command is its name and its data");
    check_ping(command);
    check_error(command);
    check_metadata(command.data);
  }
  check_metadata(body);
  return 0;
}
