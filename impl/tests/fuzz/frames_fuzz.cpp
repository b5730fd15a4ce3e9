// Frames: the walker sees the same commands however the bytes are cut, and those that a decoder
// of a few lines sees.
//
// Input: the limit of a frame, a seed of cuts; then the bytes of a connection.
#include <optional>
#include <string>
#include <vector>

#include "fuzz_input.hpp"
#include "wire/frame.hpp"
#include "wire/frame_walker.hpp"

namespace {

struct seen {
  std::vector<std::string> commands;
  bool legal = true;
  std::optional<bool> between_frames;  // of a legal stream
  bool operator==(const seen&) const = default;
};

seen walk(fuzz::bytes stream, std::uint64_t frame_bytes_max, std::uint32_t seed) {
  slk::frame_walker walker;
  fuzz::cuts cuts(seed);
  seen result;
  do {
    const fuzz::bytes piece = stream.first(cuts.next(stream.size()));
    stream = stream.subspan(piece.size());
    result.legal = walker.walk(piece, frame_bytes_max, [&](fuzz::bytes body) {
      result.commands.emplace_back(body.begin(), body.end());
    });
  } while (result.legal && !stream.empty());
  if (result.legal) {
    result.between_frames = walker.between_frames();
  }
  return result;
}

seen decode(fuzz::bytes stream, std::uint64_t frame_bytes_max) {
  seen result;
  for (;;) {
    if (stream.empty()) {
      result.between_frames = true;
      return result;
    }
    const bool is_long = (stream[0] & 2) != 0;
    if (stream.size() < (is_long ? 9u : 2u)) {
      result.between_frames = false;
      return result;
    }
    std::uint64_t size = 0;
    for (std::size_t i = 1; i < (is_long ? 9u : 2u); ++i) {
      size = (size << 8) | stream[i];
    }
    if (size > frame_bytes_max) {
      result.legal = false;
      return result;
    }
    const bool is_command = (stream[0] & 4) != 0;
    stream = stream.subspan(is_long ? 9 : 2);
    if (size > stream.size()) {
      result.between_frames = false;
      return result;
    }
    if (is_command && size <= slk::frame_walker::command_bytes_max) {
      result.commands.emplace_back(stream.begin(),
                                   stream.begin() + static_cast<std::ptrdiff_t>(size));
    }
    stream = stream.subspan(static_cast<std::size_t>(size));
  }
}

void check_header(fuzz::bytes stream) {
  slk::frame_header header;
  if (!slk::decode_frame_header(stream.data(), stream.size(), header)) {
    return;
  }
  std::uint8_t out[slk::frame_header_bytes_max];
  const std::size_t written = slk::encode_frame_header(
      out, header.body_bytes,
      static_cast<std::uint8_t>(header.flags & (slk::flag_more | slk::flag_command)));
  slk::frame_header again;
  fuzz::require(written == slk::frame_header_bytes(header.body_bytes) &&
                    slk::decode_frame_header(out, written, again) &&
                    again.body_bytes == header.body_bytes && again.more() == header.more() &&
                    again.command() == header.command(),
                "a header is read as written");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::input input({data, size});
  const std::uint32_t limit = input.number(2);
  const std::uint64_t frame_bytes_max = limit == 0xFFFF ? slk::frame_body_bytes_max : limit;
  const std::uint32_t seed = input.byte();
  const fuzz::bytes stream = input.rest();
  check_header(stream);
  const seen expected = decode(stream, frame_bytes_max);
  fuzz::require(walk(stream, frame_bytes_max, fuzz::cuts::whole) == expected, "whole");
  fuzz::require(walk(stream, frame_bytes_max, fuzz::cuts::single_bytes) == expected, "by bytes");
  fuzz::require(walk(stream, frame_bytes_max, seed) == expected, "in pieces");
  return 0;
}
