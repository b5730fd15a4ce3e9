// An encrypted connection, as its two halves see it: nothing is lost, repeated or cut when it dies,
// and what is not the peer's breaks it.
#include <doctest/doctest.h>

#include <memory>

#include "pipe/stream_ends_test.hpp"
#include "pipe/stream_reader.hpp"
#include "pipe/stream_writer.hpp"

namespace slk {
namespace {

const auto without_curve = doctest::skip(!is_curve_available());

curve_traffic_keys keys_of(std::uint8_t seed, bool server) {
  curve_traffic_keys keys;
  std::fill_n(keys.shared.data(), keys.shared.size(), seed);
  keys.server = server;
  return keys;
}

std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

// The frames of what a client has sealed.
std::string opened(frame_opener& opener, std::string_view wire) {
  std::vector<std::uint8_t> out;
  frame_header header;
  while (decode_frame_header(as_bytes(wire).data(), wire.size(), header) &&
         header.body_bytes <= wire.size() - header.header_bytes) {
    const auto body_bytes = static_cast<std::size_t>(header.body_bytes);
    REQUIRE(opener.open(as_bytes(wire).subspan(header.header_bytes, body_bytes), out));
    wire.remove_prefix(header.header_bytes + body_bytes);
  }
  return {out.begin(), out.end()};
}

std::string sealed(frame_sealer& sealer, std::string_view body, std::uint8_t flags = 0) {
  std::vector<std::uint8_t> wire;
  sealer.seal(flags, as_bytes(body), wire);
  return {wire.begin(), wire.end()};
}

std::unique_ptr<sealed_input> input_of(const stream_ends& ends, std::uint64_t limit = 1 << 20) {
  return std::make_unique<sealed_input>(ends.ours(), keys_of(1, true), limit);
}

void put(stream_writer& writer, std::string_view bytes) {
  std::uint8_t* at = writer.ring().reserve(bytes.size());
  REQUIRE(at != nullptr);
  std::memcpy(at, bytes.data(), bytes.size());
  writer.ring().commit(bytes.size());
  writer.ring().publish();
}

}  // namespace

TEST_CASE("sealed writer: a message cut by the end of its connection comes whole on the next" *
          without_curve) {
  stream_ends first;
  chunk_pool pool;
  stream_writer writer{pool};
  writer.open(std::make_unique<sealed_output>(first.ours(), keys_of(1, false)), 0);
  put(writer, frame_bytes("whole"));
  REQUIRE(writer.flush() == flush_result::complete);
  const std::string parts = frame_bytes(std::string(20'000, 'a'), flag_more) +
                            frame_bytes(std::string(2'000'000, 'b'), flag_more) +
                            frame_bytes("end");
  put(writer, parts);
  REQUIRE(writer.flush() == flush_result::blocked);
  CHECK(writer.has_unsent());
  frame_opener opener(keys_of(1, true));
  const std::string seen = opened(opener, first.received());
  CHECK(seen.starts_with(frame_bytes("whole")));
  CHECK(seen.find("end") == std::string::npos);
  writer.close();

  stream_ends second;
  writer.open(std::make_unique<sealed_output>(second.ours(), keys_of(2, false)), 0);
  std::string wire;
  while (writer.flush() != flush_result::complete) {
    wire += second.received();
  }
  wire += second.received();
  frame_opener other(keys_of(2, true));
  CHECK(opened(other, wire) == parts);
  CHECK_FALSE(writer.has_unsent());
}

TEST_CASE("sealed writer: commands go between messages, sealed as well" * without_curve) {
  stream_ends ends;
  chunk_pool pool;
  stream_writer writer{pool};
  writer.open(std::make_unique<sealed_output>(ends.ours(), keys_of(1, false)), 0);
  writer.queue_control(as_bytes(ping_bytes("one")));
  writer.queue_control(as_bytes(pong_bytes("two")));
  CHECK(writer.has_anything_to_send());
  put(writer, frame_bytes("message"));
  REQUIRE(writer.flush() == flush_result::complete);
  CHECK_FALSE(writer.has_anything_to_send());
  const std::string wire = ends.received();
  CHECK(wire.find("PING") == std::string::npos);
  frame_opener opener(keys_of(1, true));
  CHECK(opened(opener, wire) == frame_bytes("message") + ping_bytes("one") + pong_bytes("two"));
}

TEST_CASE("sealed reader: byte by byte, and what the handshake brought along" * without_curve) {
  stream_ends ends;
  stream_reader reader;
  frame_sealer sealer(keys_of(1, false));
  std::string wire = sealed(sealer, "first", flag_more);  // in order: nonces count
  wire += sealed(sealer, "second");
  reader.open(input_of(ends), as_bytes(wire).first(10));
  std::string all;
  for (std::size_t i = 10; i < wire.size(); ++i) {
    ends.send(wire.substr(i, 1));
    while (reader.read_more({}) == stream_reader::outcome::bytes) {
      all.append(reader.slab().begin(), reader.slab().end());
    }
  }
  CHECK(all == frame_bytes("first", flag_more) + frame_bytes("second"));
}

TEST_CASE("sealed reader: what cannot be opened breaks it, behind what could" * without_curve) {
  stream_ends ends;
  stream_reader reader;
  frame_sealer sealer(keys_of(1, false));
  const std::string good = sealed(sealer, "good");
  std::string bad;
  SUBCASE("said again") {
    bad = good;
  }
  SUBCASE("in the clear") {
    bad = frame_bytes("clear");
  }
  SUBCASE("too long") {
    bad = std::string("\x02\x00\x00\x00\x00\x01\x00\x00\x00", 9);
  }
  SUBCASE("nothing in it") {
    bad = frame_bytes("");
  }
  reader.open(input_of(ends, 1000), {});
  ends.send(good + bad + sealed(sealer, "later"));
  REQUIRE(reader.read_more({}) == stream_reader::outcome::bytes);
  CHECK(std::string(reader.slab().begin(), reader.slab().end()) == frame_bytes("good"));
  stream_reader::outcome next = reader.read_more({});
  while (next == stream_reader::outcome::bytes) {
    CHECK(reader.slab().empty());
    next = reader.read_more({});
  }
  CHECK(next == stream_reader::outcome::broken);
}

TEST_CASE("sealed reader: the I/O thread sees the commands of a silent application's peer" *
          without_curve) {
  stream_ends ends;
  stream_reader reader;
  frame_sealer sealer(keys_of(1, false));
  reader.open(input_of(ends), {});
  SUBCASE("that has never read") {}
  SUBCASE("that has read all there was") {
    ends.send(sealed(sealer, "before"));
    REQUIRE(reader.read_more({}) == stream_reader::outcome::bytes);
  }
  const std::string ping = ping_bytes("x").substr(2);
  ends.send(sealed(sealer, ping, flag_command));
  ends.send(sealed(sealer, "kept"));
  int commands = 0;
  bool received = false;
  CHECK(reader.take_over(1000, received, [&](std::span<const std::uint8_t>) { ++commands; }));
  CHECK(commands == 1);
  CHECK(received);
  reader.close(true);
  REQUIRE(reader.read_more({}) == stream_reader::outcome::bytes);
  CHECK(std::string(reader.slab().begin(), reader.slab().end()).ends_with(frame_bytes("kept")));
}

TEST_CASE("sealed reader: what came before the end is read behind it" * without_curve) {
  stream_ends ends;
  stream_reader reader;
  frame_sealer sealer(keys_of(1, false));
  reader.open(input_of(ends), {});
  ends.send(sealed(sealer, "last words"));
  ends.close_far();
  reader.close(true);
  REQUIRE(reader.read_more({}) == stream_reader::outcome::bytes);
  CHECK(std::string(reader.slab().begin(), reader.slab().end()) == frame_bytes("last words"));
}

}  // namespace slk
