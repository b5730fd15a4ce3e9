#include "pipe/stream_writer.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <random>

#include "pipe/stream_ends_test.hpp"

namespace slk {
namespace {

using direct = stream_writer::direct_outcome::kind;

struct unit {
  chunk_pool pool;
  stream_writer writer{pool};
  std::uint64_t messages = 0;

  void put(std::string_view body, std::uint8_t flags = 0) {
    const std::string bytes = frame_bytes(body, flags);
    std::uint8_t* at = writer.ring().reserve(bytes.size());
    REQUIRE(at != nullptr);
    std::memcpy(at, bytes.data(), bytes.size());
    writer.ring().commit(bytes.size());
    if ((flags & flag_more) == 0) {
      writer.ring().publish();
      writer.published_count().store(++messages, std::memory_order_release);
    }
  }

  direct put_direct(std::string_view body, bool may_carry = false) {
    std::array<std::uint8_t, frame_header_bytes_max> header;
    const std::size_t bytes = encode_frame_header(header.data(), body.size(), 0);
    const auto [what, left_bytes] = writer.send_direct(
        {header.data(), bytes}, {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()},
        may_carry);
    if (what != direct::refused) {
      CHECK((left_bytes == 0) == (what == direct::sent));
      writer.published_count().store(++messages, std::memory_order_release);
    }
    return what;
  }

  // Numbered messages until the kernel takes no more; how many.
  int fill(std::string_view body) {
    int count = 0;
    do {
      put(std::to_string(count++) + std::string(body));
    } while (writer.flush() == flush_result::complete);
    return count;
  }

  void control(std::string_view bytes) {
    writer.queue_control({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
  }
};

constexpr std::size_t no_limit = 0;

// The bodies of whole frames; "<command>" for commands. What is left behind them is put to `rest`.
std::vector<std::string> bodies(std::string_view bytes, std::string* rest = nullptr) {
  std::vector<std::string> found;
  frame_header header{};
  while (decode_frame_header(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
                             header) &&
         header.body_bytes <= bytes.size() - header.header_bytes) {
    found.emplace_back(header.command() ? "<command>"
                                        : bytes.substr(header.header_bytes, header.body_bytes));
    bytes.remove_prefix(header.header_bytes + header.body_bytes);
  }
  if (rest != nullptr) {
    *rest = bytes;
  }
  return found;
}

}  // namespace

TEST_CASE("stream_writer: without a connection everything stays") {
  unit u;
  u.put("a");
  CHECK(u.writer.flush() == flush_result::no_stream);
  CHECK(u.writer.has_unsent());
  CHECK_FALSE(u.writer.is_open());
  CHECK(u.writer.fd() == -1);
  CHECK(u.put_direct(std::string(20'000, 'x')) == direct::refused);
  CHECK(u.writer.flushed_messages() == 0);
  stream_ends ends;
  u.writer.open(ends.ours(), no_limit);
  CHECK(u.writer.fd() == ends.ours());
  CHECK(u.writer.flush_from_io() == flush_result::complete);
  CHECK(ends.received() == frame_bytes("a"));
  CHECK_FALSE(u.writer.has_unsent());
  CHECK(u.writer.flushed_messages() == 1);
}

TEST_CASE("stream_writer: an unfinished message is not sent") {
  unit u;
  stream_ends ends;
  u.writer.open(ends.ours(), no_limit);
  u.put("part", flag_more);
  CHECK(u.writer.flush_from_io() == flush_result::complete);
  CHECK(ends.received().empty());
  u.put("last");
  CHECK(u.writer.flush() == flush_result::complete);
  CHECK(ends.received() == frame_bytes("part", flag_more) + frame_bytes("last"));
}

TEST_CASE("stream_writer: a full kernel buffer gives no credit until all is out") {
  unit u;
  stream_ends ends;
  u.writer.open(ends.ours(), no_limit);
  const int count = u.fill(std::string(5000, 'x'));
  const auto before = u.writer.flushed_messages();
  CHECK(before == static_cast<std::uint64_t>(count - 1));
  CHECK(u.writer.flush() == flush_result::blocked);
  CHECK(u.writer.has_unsent());
  const auto flushes = u.writer.flush_count();
  std::string all;
  while (u.writer.flush_from_io() == flush_result::blocked) {
    CHECK(u.writer.flushed_messages() == before);
    all += ends.received();
  }
  all += ends.received();
  CHECK(u.writer.flush_count() != flushes);
  CHECK(u.writer.flushed_messages() == static_cast<std::uint64_t>(count));
  std::string rest;
  const auto messages = bodies(all, &rest);
  CHECK(rest.empty());
  REQUIRE(messages.size() == static_cast<std::size_t>(count));
  CHECK(messages.back() == std::to_string(count - 1) + std::string(5000, 'x'));
}

TEST_CASE("stream_writer: large sends go in even pieces") {
  // Seen through a seqpacket socket, where every send(2) is a message of its own.
  std::array<int, 2> fds{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0);
  const unique_fd ours(fds[0]);
  const unique_fd far(fds[1]);
  const auto pieces = [&far] {
    std::vector<std::size_t> sizes;
    std::vector<char> buffer(200'000);
    for (ssize_t got = 0; (got = ::recv(far.get(), buffer.data(), buffer.size(), 0)) > 0;) {
      sizes.push_back(static_cast<std::size_t>(got));
    }
    return sizes;
  };
  unit u;
  u.writer.open(ours.get(), 40'000);
  u.put(std::string(40'001, 'x'));  // one byte and a header too long for a single piece
  CHECK(u.writer.flush() == flush_result::complete);
  CHECK(pieces() == std::vector<std::size_t>{20'005, 20'005});
  CHECK(u.put_direct(std::string(89'991, 'y')) == direct::sent);
  const auto direct = pieces();
  REQUIRE(direct.size() == 3);
  for (const std::size_t size : direct) {
    CHECK(size >= 29'990);
    CHECK(size <= 30'010);
  }
}

TEST_CASE("stream_writer: frames that are sent in whole segments take the rest of the last along") {
  constexpr std::size_t segment_bytes = 30'000;
  auto first = std::make_unique<stream_ends>();
  unit u;
  u.writer.open(first->ours(), segment_bytes);
  std::string all;
  std::string received;
  int carried = 0;
  for (int i = 0; i < 200; ++i) {
    // A header of nine bytes: each leaves 100 bytes more than the one before, until that is much.
    const std::string body(segment_bytes * (i % 3 == 2 ? 2 : 1) + 91,
                           static_cast<char>('a' + i % 26));
    all += frame_bytes(body);
    direct outcome = u.put_direct(body, true);
    if (outcome == direct::refused) {  // as stream_pipe does
      REQUIRE(u.writer.flush() == flush_result::complete);
      outcome = u.put_direct(body);
    }
    REQUIRE((outcome == direct::carried || outcome == direct::sent));
    carried += outcome == direct::carried ? 1 : 0;
    received += first->received();
    CHECK(received.size() <= all.size());
    CHECK(received.size() + 5'000 > all.size());
  }
  CHECK(carried > 180);

  SUBCASE("the last rest goes by a flush, and counts its message") {
    CHECK(u.writer.has_unsent());
    CHECK(u.writer.flush() == flush_result::complete);
    received += first->received();
    CHECK(received == all);
    CHECK(u.writer.flushed_messages() == 200);
  }
  SUBCASE("a small message goes behind it") {
    u.put("small");
    CHECK(u.put_direct(std::string(segment_bytes + 91, 'x'), true) == direct::refused);
    CHECK(u.writer.flush() == flush_result::complete);
    received += first->received();
    CHECK(received == all + frame_bytes("small"));
  }
  SUBCASE("so does a large one, in a chunk of its own") {
    const std::string large(65'536, 'L');
    u.put(large);
    CHECK(u.put_direct(std::string(segment_bytes + 91, 'x'), true) == direct::refused);
    all += frame_bytes(large);
    while (received.size() < all.size()) {
      static_cast<void>(u.writer.flush());
      received += first->received();
    }
    CHECK(received == all);
  }
  SUBCASE("the message whose rest died with the connection is gone, the next one whole") {
    CHECK(u.writer.has_unsent());
    first->close_far();
    u.writer.close();
    stream_ends second;
    u.writer.open(second.ours(), segment_bytes);
    u.put("next");
    CHECK(u.writer.flush() == flush_result::complete);
    CHECK(second.received() == frame_bytes("next"));
  }
}

TEST_CASE(
    "stream_writer: whatever is sent in which way, and however little the peer reads, in order") {
  constexpr std::size_t segment_bytes = 65'483;
  std::minstd_rand random(11);
  const auto chance = [&random](unsigned percent) { return random() % 100 < percent; };
  for (int run = 0; run < 6; ++run) {
    CAPTURE(run);
    const stream_ends ends;
    unit u;
    u.writer.open(ends.ours(), segment_bytes);
    std::string all;
    std::string received;
    int carried = 0;
    for (int i = 0; i < 400; ++i) {
      const std::size_t size_bytes = chance(60)   ? 65'536
                                     : chance(50) ? random() % 200
                                                  : random() % 150'000;
      const std::string body(size_bytes, static_cast<char>('a' + i % 26));
      all += frame_bytes(body);
      const bool small = size_bytes < 16 * 1024;
      direct outcome = small ? direct::refused : u.put_direct(body, chance(80));
      if (outcome == direct::refused && !small && chance(90)) {  // as stream_pipe does
        static_cast<void>(u.writer.flush());
        outcome = u.put_direct(body);
      }
      if (outcome == direct::refused) {
        u.put(body);
      }
      carried += outcome == direct::carried ? 1 : 0;
      if (chance(20)) {
        static_cast<void>(chance(50) ? u.writer.flush() : u.writer.flush_from_io());
      }
      // In some runs the kernel's buffer is full most of the time, in others never.
      received += ends.read_at_most(run % 2 == 0 ? SIZE_MAX : random() % 140'000);
      REQUIRE(all.compare(0, received.size(), received) == 0);
    }
    while (received.size() < all.size()) {
      static_cast<void>(u.writer.flush());
      received += ends.received();
    }
    CHECK(received == all);
    CHECK(u.writer.flush() == flush_result::complete);
    CHECK(u.writer.flushed_messages() == 400);
    CHECK((run % 2 != 0 || carried > 0));
  }
}

TEST_CASE("stream_writer: in full flow several chunks go out at once") {
  const std::string body(30'000, 'x');  // two fill a chunk
  unit u;
  auto first = std::make_unique<stream_ends>();
  u.writer.open(first->ours(), 48 * 1024);
  CHECK(u.writer.flow_seen().unit_bytes == 0);
  int count = 0;
  while (u.writer.flow_seen().unit_bytes == 0 && count < 100) {
    u.put(std::string(40'000, 'x'));
    CHECK(u.writer.flush() == flush_result::complete);
    static_cast<void>(first->received());
    ++count;
  }
  REQUIRE(count < 100);
  std::string all;
  const std::uint32_t flushes = u.writer.flush_count();
  for (char which : {'a', 'b', 'c', 'd', 'e'}) {
    const std::string other(30'000, which);
    all += frame_bytes(other);
    u.put(other);
  }
  CHECK(u.writer.flush() == flush_result::complete);
  CHECK(u.writer.flush_count() == flushes + 1);
  CHECK(first->received() == all);

  SUBCASE("what a death cuts off starts the next connection") {
    std::vector<std::string> sent;
    do {
      for (int i = 0; i < 4; ++i) {
        u.put(sent.emplace_back(std::to_string(sent.size()) + body));
      }
    } while (u.writer.flush() == flush_result::complete);
    std::string rest;
    const auto arrived = bodies(first->received(), &rest);
    REQUIRE(arrived.size() < sent.size());
    first->close_far();
    CHECK(u.writer.flush() == flush_result::no_stream);
    u.writer.close();
    stream_ends second;
    u.writer.open(second.ours(), 48 * 1024);
    CHECK(u.writer.flow_seen().unit_bytes == 0);  // that one begins anew
    std::string received;
    while (u.writer.flush() != flush_result::complete) {
      received += second.received();
    }
    received += second.received();
    const auto others = bodies(received);
    REQUIRE(others.size() == sent.size() - arrived.size());
    CHECK(std::equal(others.begin(), others.end(), sent.end() - std::ssize(others)));
  }
}

TEST_CASE("stream_writer: a message cut off by the connection's death starts the next one") {
  for (const std::size_t swallowed : {1u, 2u, 30'000u, 60'000u}) {
    CAPTURE(swallowed);
    unit u;
    auto first = std::make_unique<stream_ends>();
    u.writer.open(first->ours(), no_limit);
    int count = u.fill(std::string(60'000, 'x'));
    for (int i = 0; i < 10; ++i) {
      u.put(std::to_string(count++) + std::string(60'000, 'x'));
    }
    static_cast<void>(first->read_at_most(swallowed));
    REQUIRE(u.writer.flush() == flush_result::blocked);
    first->close_far();
    CHECK(u.writer.flush() == flush_result::no_stream);
    u.writer.close();
    first.reset();
    u.put("after");
    stream_ends second;
    u.writer.open(second.ours(), no_limit);
    std::string all;
    while (u.writer.flush_from_io() == flush_result::blocked) {
      all += second.received();
    }
    all += second.received();
    std::string rest;
    const auto messages = bodies(all, &rest);
    CHECK(rest.empty());
    // The message in flight is whole; nothing behind it is missing.
    REQUIRE(messages.size() >= 2);
    CHECK(messages.back() == "after");
    CHECK(messages[messages.size() - 2] == std::to_string(count - 1) + std::string(60'000, 'x'));
    const int in_flight = std::stoi(messages.front());
    CHECK(messages.size() == static_cast<std::size_t>(count - in_flight + 1));
  }
}

TEST_CASE("stream_writer: a multipart message cut off anywhere starts over with its first part") {
  const std::string message = frame_bytes("id", flag_more) + frame_bytes("", flag_more) +
                              frame_bytes(std::string(300, 'b'));
  const std::string before = frame_bytes("before");
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    CAPTURE(cut);
    // A seqpacket socket of a small piece limit: the pieces that go out are counted exactly.
    unit u;
    auto ends = std::make_unique<stream_ends>();
    u.writer.open(ends->ours(), no_limit);
    u.put("before");
    u.put("id", flag_more);
    u.put("", flag_more);
    u.put(std::string(300, 'b'));
    // As if the kernel had taken so many bytes.
    static_cast<void>(u.writer.ring().front());
    u.writer.ring().consume(before.size() + cut);
    u.writer.close();
    stream_ends second;
    u.writer.open(second.ours(), no_limit);
    CHECK(u.writer.flush_from_io() == flush_result::complete);
    CHECK(second.received() == (cut == message.size() ? "" : message));
  }
}

TEST_CASE("stream_writer: a direct send that is cut off is lost, the next message is whole") {
  unit u;
  auto first = std::make_unique<stream_ends>();
  u.writer.open(first->ours(), no_limit);
  u.put("small");
  CHECK(u.writer.flush() == flush_result::complete);
  CHECK(u.put_direct(std::string(2'000'000, 'd')) == direct::queued);
  u.put("next");
  u.put("last");
  CHECK(u.writer.flush() == flush_result::blocked);
  CHECK(u.put_direct(std::string(20'000, 'd')) == direct::refused);

  SUBCASE("died") {
    first->close_far();
    u.writer.close();
    stream_ends second;
    u.writer.open(second.ours(), no_limit);
    CHECK(u.writer.flush_from_io() == flush_result::complete);
    CHECK(second.received() == frame_bytes("next") + frame_bytes("last"));
  }
  SUBCASE("died with the next message begun") {
    // The tail is out, and three bytes of what follows.
    std::string all;
    while (u.writer.flush_from_io() == flush_result::blocked) {
      all += first->received();
    }
    u.put("cut off");
    static_cast<void>(u.writer.ring().front());
    u.writer.ring().consume(3);
    u.writer.close();
    stream_ends second;
    u.writer.open(second.ours(), no_limit);
    CHECK(u.writer.flush_from_io() == flush_result::complete);
    CHECK(second.received() == frame_bytes("cut off"));
  }
  SUBCASE("lived") {
    std::string all;
    while (u.writer.flush_from_io() == flush_result::blocked) {
      all += first->received();
    }
    all += first->received();
    std::string rest;
    const auto messages = bodies(all, &rest);
    CHECK(rest.empty());
    REQUIRE(messages.size() == 4);
    CHECK(messages[1] == std::string(2'000'000, 'd'));
    CHECK(messages[3] == "last");
  }
}

TEST_CASE("stream_writer: control frames go between messages, and count as unsent") {
  unit u;
  stream_ends ends;
  u.writer.open(ends.ours(), no_limit);
  const std::string pong = pong_bytes("hi");
  u.control(pong);
  CHECK(u.writer.has_anything_to_send());  // else nobody would wait for room on its behalf
  CHECK_FALSE(u.writer.has_unsent());      // but no message: closing need not wait for it
  CHECK(u.put_direct(std::string(20'000, 'd')) == direct::refused);
  CHECK(u.writer.flush() == flush_result::complete);
  CHECK_FALSE(u.writer.has_anything_to_send());
  CHECK(ends.received() == pong);

  const int count = u.fill(std::string(5000, 'x'));
  u.control(pong);
  std::string all;
  while (u.writer.flush_from_io() == flush_result::blocked) {
    all += ends.received();
  }
  all += ends.received();
  std::string rest;
  const auto messages = bodies(all, &rest);
  CHECK(rest.empty());
  REQUIRE(messages.size() == static_cast<std::size_t>(count) + 1);
  CHECK(messages.back() == "<command>");
}

TEST_CASE("stream_writer: control frames die with their connection") {
  unit u;
  {
    stream_ends first;
    u.writer.open(first.ours(), no_limit);
    u.control(pong_bytes("old"));
    u.writer.close();
  }
  CHECK_FALSE(u.writer.has_unsent());
  stream_ends second;
  u.writer.open(second.ours(), no_limit);
  CHECK(u.writer.flush_from_io() == flush_result::complete);
  CHECK(second.received().empty());
}

TEST_CASE("stream_writer: a peer that pings without reading costs bounded memory, and no bytes") {
  unit u;
  stream_ends ends;
  u.writer.open(ends.ours(), no_limit);
  const int count = u.fill(std::string(5000, 'x'));
  for (int i = 0; i < 100'000; ++i) {
    u.control(pong_bytes("0123456789abcdef"));
  }
  std::string all;
  for (int i = 0; i < 1000 && u.writer.flush_from_io() == flush_result::blocked; ++i) {
    all += ends.received();
  }
  all += ends.received();
  std::string rest;
  const auto messages = bodies(all, &rest);
  CHECK(rest.empty());
  CHECK(messages.size() > static_cast<std::size_t>(count));
  CHECK(messages.size() < static_cast<std::size_t>(count) + 1000);
}

}  // namespace slk
