#include "wire/frame_walker.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

namespace {

using slk::frame_walker;

constexpr std::uint64_t no_limit = std::numeric_limits<std::int64_t>::max();

std::string frame(const std::string& body, std::uint8_t flags) {
  std::string bytes(slk::frame_header_bytes_max, '\0');
  const std::size_t header =
      slk::encode_frame_header(reinterpret_cast<std::uint8_t*>(bytes.data()), body.size(), flags);
  return bytes.substr(0, header) + body;
}

std::span<const std::uint8_t> view(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

std::vector<std::string> commands_in(const std::string& bytes, std::size_t piece) {
  frame_walker walker;
  std::vector<std::string> seen;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const std::string part = bytes.substr(at, piece);
    CHECK(walker.walk(view(part), no_limit, [&](std::span<const std::uint8_t> body) {
      seen.emplace_back(body.begin(), body.end());
    }));
  }
  return seen;
}

}  // namespace

TEST_CASE("frame walker: shows the commands among messages, however the bytes come") {
  const std::string bytes = frame("one", 0) + frame("first", slk::flag_command) +
                            frame(std::string(70000, 'x'), slk::flag_more) + frame("", 0) +
                            frame("", slk::flag_command) + frame("last", slk::flag_command);
  for (const std::size_t piece :
       {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{1000}, bytes.size()}) {
    CAPTURE(piece);
    CHECK(commands_in(bytes, piece) == std::vector<std::string>{"first", "", "last"});
  }
}

TEST_CASE("frame walker: passes over a command that is too long to be one of ours") {
  const std::string bytes =
      frame(std::string(frame_walker::command_bytes_max + 1, 'c'), slk::flag_command) +
      frame("next", slk::flag_command);
  CHECK(commands_in(bytes, 5) == std::vector<std::string>{"next"});
}

TEST_CASE("frame walker: stops at a frame above the limit") {
  frame_walker walker;
  const std::string bytes = frame("12345", 0) + frame("123456", 0);
  CHECK_FALSE(walker.walk(view(bytes), 5, [](std::span<const std::uint8_t>) {}));
}
