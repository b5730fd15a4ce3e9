#include "pipe/stream_pipe.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "pipe/stream_ends_test.hpp"

namespace slk {
namespace {

using namespace std::chrono_literals;
using message_parts = std::vector<std::string>;

// What a session does for its pipe, as far as the pipe can tell.
class owner_stub final : public stream_owner {
 public:
  void want_writable() noexcept override { ++wants; }
  void peer_broke_protocol() noexcept override { ++broken; }
  void replaced() noexcept override { ++replacements; }
  void application_reads() noexcept override { ++reads; }
  std::atomic<int> wants{0};
  std::atomic<int> broken{0};
  std::atomic<int> replacements{0};
  std::atomic<int> reads{0};
};

struct unit {
  explicit unit(const stream_pipe::settings& with = {})
      : pipe(std::make_shared<stream_pipe>(io, box, with)) {
    pipe->set_high_water_marks(with.send_mark, 1000);
  }
  ~unit() { static_cast<void>(box->close()); }  // as a socket does: its events keep the pipe
  unit(const unit&) = delete;
  unit& operator=(const unit&) = delete;

  void open(int fd) { pipe->open(owner, fd, 0, {}); }
  // Whatever the I/O thread was asked to do until now is done.
  void settle() {
    std::promise<void> done;
    io.post([&done] { done.set_value(); });
    REQUIRE(done.get_future().wait_for(20s) == std::future_status::ready);
  }
  [[nodiscard]] int write(std::string_view bytes, bool more = false) const {
    return pipe->write(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), more);
  }
  // The messages that are here.
  [[nodiscard]] std::vector<message_parts> messages() const {
    std::vector<message_parts> all;
    while (pipe->peek()) {
      message_parts parts;
      frame_view view;
      do {
        REQUIRE(pipe->peek());
        pipe->take(view);
        parts.emplace_back(reinterpret_cast<const char*>(view.data), view.size_bytes);
      } while (view.more);
      all.push_back(std::move(parts));
    }
    return all;
  }

  io_thread io;
  std::shared_ptr<inbox> box = std::make_shared<inbox>();
  owner_stub owner;
  std::shared_ptr<stream_pipe> pipe;
};

std::string wire(const std::vector<message_parts>& messages) {
  std::string bytes;
  for (const auto& parts : messages) {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      bytes += frame_bytes(parts[i], i + 1 < parts.size() ? flag_more : std::uint8_t{0});
    }
  }
  return bytes;
}

// Writes a message, and waits until the patrol has sent it. Whether the pipe had to be armed.
bool leave_to_patrol(unit& u, stream_ends& ends, const std::string& body) {
  REQUIRE(u.write(body) == 0);
  const bool watched = u.pipe->patrol_watches();
  if (!watched) {
    u.pipe->arm();
  }
  REQUIRE(ends.receive(wire({{body}}).size()) == wire({{body}}));
  return !watched;
}

}  // namespace

TEST_CASE("stream_pipe: messages cut at every byte") {
  const std::vector<message_parts> sent{
      {"a"}, {""}, {"id", "", std::string(300, 'x')}, {std::string(255, 'y')}, {"", ""}};
  const std::string bytes = wire(sent);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    CAPTURE(cut);
    unit u;
    stream_ends ends;
    u.open(ends.ours());
    ends.send(bytes.substr(0, cut));
    auto got = u.messages();
    ends.send(bytes.substr(cut));
    for (auto& more : u.messages()) {
      got.push_back(std::move(more));
    }
    CHECK(got == sent);
  }
}

TEST_CASE("stream_pipe: byte by byte, commands between and inside messages") {
  unit u;
  stream_ends ends;
  u.open(ends.ours());
  const std::string bytes = ping_bytes("1") + frame_bytes("a", flag_more) + ping_bytes("2") +
                            frame_bytes("b") + command_bytes("NONSENSE", "x") + frame_bytes("c");
  std::vector<message_parts> got;
  for (const char byte : bytes) {
    ends.send(std::string(1, byte));
    for (auto& more : u.messages()) {
      got.push_back(std::move(more));
    }
  }
  CHECK(got == std::vector<message_parts>{{"a", "b"}, {"c"}});
  CHECK(ends.received() == pong_bytes("1") + pong_bytes("2"));
}

TEST_CASE("stream_pipe: messages across refills of the slab, and larger than it") {
  unit u;
  stream_ends ends;
  u.open(ends.ours());
  std::vector<message_parts> sent;
  for (const std::size_t size :
       {100'000u, 131'072u, 131'063u, 131'064u, 500'000u, 1u << 20, 3u << 20}) {
    sent.push_back({std::string(size, static_cast<char>('a' + sent.size()))});
    sent.push_back({"small", std::string(size, 'p'), "", std::string(70'000, 'q'), "end"});
  }
  message_parts many;
  for (int i = 0; i < 3000; ++i) {
    many.push_back(std::string(static_cast<std::size_t>(i % 300), 'm'));
  }
  sent.push_back(many);
  const std::string bytes = wire(sent) + frame_bytes("done");
  std::thread peer([&] {
    pollfd item{ends.far(), POLLOUT, 0};
    for (std::size_t at = 0; at < bytes.size();) {
      const ssize_t taken = ::send(ends.far(), bytes.data() + at,
                                   std::min<std::size_t>(bytes.size() - at, 77'777), MSG_NOSIGNAL);
      if (taken > 0) {
        at += static_cast<std::size_t>(taken);
      } else {
        ::poll(&item, 1, 1000);
      }
    }
  });
  std::vector<message_parts> got;
  pollfd item{ends.ours(), POLLIN, 0};
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (got.size() < sent.size() + 1 && std::chrono::steady_clock::now() < end) {
    for (auto& more : u.messages()) {
      got.push_back(std::move(more));
    }
    if (got.size() < sent.size() + 1) {
      ::poll(&item, 1, 100);
    }
  }
  peer.join();
  sent.push_back({"done"});
  REQUIRE(got.size() == sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    CAPTURE(i);
    CHECK((got[i] == sent[i]));
  }
  CHECK(u.owner.broken == 0);
}

TEST_CASE("stream_pipe: what a dead connection left of a message is discarded") {
  for (const std::size_t size : {std::size_t{3}, std::size_t{300'000}}) {
    for (const bool seen : {false, true}) {
      CAPTURE(size);
      CAPTURE(seen);
      unit u;
      auto first = std::make_unique<stream_ends>();
      u.open(first->ours());
      first->send(frame_bytes("whole") + frame_bytes("part", flag_more));
      first->send(frame_bytes(std::string(size, 'x')).substr(0, size < 100 ? 2 : 150'000));
      std::vector<message_parts> got;
      if (seen) {
        got = u.messages();
        CHECK(got == std::vector<message_parts>{{"whole"}});
      }
      first->close_far();
      u.pipe->close(true);
      first.reset();
      stream_ends second;
      u.open(second.ours());
      second.send(frame_bytes("next"));
      for (auto& more : u.messages()) {
        got.push_back(std::move(more));
      }
      CHECK(got == std::vector<message_parts>{{"whole"}, {"next"}});
    }
  }
}

TEST_CASE("stream_pipe: several connections die before the application looks") {
  unit u;
  for (int i = 0; i < 5; ++i) {
    stream_ends ends;
    u.open(ends.ours());
    ends.send(frame_bytes("m" + std::to_string(i)) + "\1\7cut");
    ends.close_far();
    u.pipe->close(true);
  }
  CHECK(u.messages() == std::vector<message_parts>{{"m0"}, {"m1"}, {"m2"}, {"m3"}, {"m4"}});
}

TEST_CASE("stream_pipe: a frame above the limit ends the peer, not the process") {
  stream_pipe::settings with;
  with.frame_bytes_max = 10;
  unit u(with);
  u.io.start();
  stream_ends ends;
  u.open(ends.ours());
  ends.send(frame_bytes("0123456789") + frame_bytes("0123456789a") + frame_bytes("c"));
  CHECK(u.messages() == std::vector<message_parts>{{"0123456789"}});
  u.settle();
  CHECK(u.owner.broken == 1);
  CHECK(u.messages().empty());
}

TEST_CASE("stream_pipe: an announced size alone costs no memory, an absurd one ends the peer") {
  unit u;
  u.io.start();
  stream_ends ends;
  u.open(ends.ours());
  ends.send(std::string("\2\x00\x7f\xff\xff\xff\xff\xff\xff", 9) + "x");  // 2^55 bytes
  CHECK(u.messages().empty());
  u.settle();
  CHECK(u.owner.broken == 0);
  unit w;
  w.io.start();
  stream_ends other;
  w.open(other.ours());
  other.send(std::string("\2\xff\xff\xff\xff\xff\xff\xff\xff", 9));
  CHECK(w.messages().empty());
  w.settle();
  CHECK(w.owner.broken == 1);
}

TEST_CASE("stream_pipe: the high water mark counts what the kernel has not taken") {
  stream_pipe::settings with;
  with.send_mark = 3;
  unit u(with);
  for (int i = 0; i < 3; ++i) {
    CHECK(u.pipe->has_room());
    CHECK(u.write("part", true) == 0);
    CHECK(u.write(std::to_string(i)) == 0);
  }
  CHECK_FALSE(u.pipe->has_room());
  u.pipe->set_high_water_marks(4, 0);
  CHECK(u.pipe->has_room());
  u.pipe->set_high_water_marks(0, 0);
  CHECK(u.pipe->has_room());
  u.pipe->set_high_water_marks(3, 0);
  CHECK_FALSE(u.pipe->has_room());
  stream_ends ends;
  u.open(ends.ours());
  CHECK(u.pipe->has_room());
  u.pipe->end_input();
}

TEST_CASE("stream_pipe: large frames go out behind what waits, in order") {
  unit u;
  stream_ends ends;
  u.open(ends.ours());
  CHECK(u.write("first") == 0);
  CHECK(u.write(std::string(20'000, 'L')) == 0);
  CHECK(u.write("more", true) == 0);
  CHECK(u.write(std::string(20'000, 'M')) == 0);
  CHECK(u.pipe->flush() == flush_result::complete);
  CHECK(ends.received() ==
        wire({{"first"}, {std::string(20'000, 'L')}, {"more", std::string(20'000, 'M')}}));
}

TEST_CASE("stream_pipe: the patrol flushes the tail of a burst") {
  register_asymmetric_fence();
  unit u;
  u.io.start();
  stream_ends ends;
  u.open(ends.ours());
  for (int i = 0; i < 300; ++i) {
    static_cast<void>(leave_to_patrol(u, ends, "tail" + std::to_string(i)));
    std::this_thread::sleep_for(std::chrono::microseconds(i % 100 * 3));  // any phase of the patrol
  }
}

TEST_CASE("stream_pipe: the patrol disarms a pipe of few messages, ever more rarely if in vain") {
  register_asymmetric_fence();
  unit u;
  u.io.start();
  stream_ends ends;
  u.open(ends.ours());
  // As by a socket in a burst that goes to others: each message is left to the patrol.
  constexpr int count = 300;
  int armed = 0;
  for (int i = 0; i < count; ++i) {
    armed += leave_to_patrol(u, ends, "little") ? 1 : 0;
  }
  CHECK(armed > 1);
  CHECK(armed < count / 6);  // a third, were it not for the rarely
}

TEST_CASE("stream_pipe: the patrol leaves alone who sends all by himself") {
  register_asymmetric_fence();
  unit u;
  stream_ends ends;
  u.open(ends.ours());
  u.pipe->arm();
  int looks = 0;
  do {
    REQUIRE(u.write("x") == 0);
    REQUIRE(u.pipe->flush() == flush_result::complete);
    ++looks;
  } while (u.pipe->on_patrol() != patrolled::look::idle && looks < 100);
  CHECK(looks < 100);
  CHECK_FALSE(u.pipe->patrol_watches());
  u.io.start();
  u.settle();
}

TEST_CASE("stream_pipe: an awaited read is told of once, and one that finds nothing is none") {
  unit u;
  u.io.start();
  stream_ends ends;
  u.open(ends.ours());
  u.pipe->reader().await_read(true);
  CHECK(u.messages().empty());
  u.settle();
  CHECK(u.owner.reads == 0);
  for (int i = 0; i < 2; ++i) {
    ends.send(frame_bytes("x"));
    CHECK(u.messages() == std::vector<message_parts>{{"x"}});
    u.settle();
    CHECK(u.owner.reads == 1);
  }
}

TEST_CASE("stream_pipe: a PONG finds its way out of a full kernel buffer without the application") {
  register_asymmetric_fence();
  unit u;
  stream_ends ends;
  u.open(ends.ours());
  // The kernel's buffer is full, but nothing waits in the ring.
  while (::send(ends.ours(), "0123456789", 10, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
  }
  ends.send(ping_bytes("sos"));
  CHECK(u.messages().empty());
  u.io.start();
  // The patrol tries, and asks for writability.
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (u.owner.wants == 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(1ms);
  }
  CHECK(u.owner.wants == 1);
  static_cast<void>(ends.received());
  bool all_sent = false;
  std::promise<void> done;
  u.io.post([&] {
    all_sent = u.pipe->writable();
    done.set_value();
  });
  done.get_future().wait();
  CHECK(all_sent);
  CHECK(ends.received() == pong_bytes("sos"));
}

TEST_CASE(
    "stream_pipe: where the I/O thread reads, a PONG waits for room without the application") {
  stream_pipe::settings with;
  with.application_reads = false;
  unit u(with);
  stream_ends ends;
  u.open(ends.ours());
  while (::send(ends.ours(), "0123456789", 10, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
  }
  ends.send(ping_bytes("sos"));
  u.pipe->discard_input();
  CHECK(u.owner.wants == 1);
  static_cast<void>(ends.received());
  CHECK(u.pipe->writable());
  CHECK(ends.received() == pong_bytes("sos"));
  u.io.start();
  u.settle();
}

TEST_CASE("stream_pipe: of room that nobody told of the patrol tells") {
  stream_pipe::settings with;
  with.send_mark = 1;
  with.application_reads = false;
  unit u(with);
  stream_ends ends;
  u.open(ends.ours());
  while (::send(ends.ours(), "0123456789", 10, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
  }
  REQUIRE(u.pipe->has_room());
  CHECK(u.write("x") == 0);
  CHECK_FALSE(u.pipe->has_room());
  u.pipe->arm();
  u.box->signal().prepare_sleep(false);
  CHECK_FALSE(u.pipe->has_room());
  // The answer to a PING takes the message along.
  static_cast<void>(ends.received());
  ends.send(ping_bytes("sos"));
  u.pipe->discard_input();
  CHECK(ends.received() == frame_bytes("x") + pong_bytes("sos"));
  int looks = 0;
  while (u.pipe->on_patrol() != patrolled::look::idle && looks < 10) {
    ++looks;
  }
  CHECK(looks < 10);
  CHECK_FALSE(u.box->signal().armed());
  u.box->signal().finish_sleep();
  CHECK(u.pipe->has_room());
  u.io.start();
  u.settle();
}

TEST_CASE("stream_pipe: armed by the application and waiting for room, it is listed once") {
  register_asymmetric_fence();
  unit u;
  // No connection: the application hands the pipe to the patrol.
  for (int i = 0; i < 200; ++i) {
    REQUIRE(u.write(std::string(10'000, 'x')) == 0);
  }
  u.pipe->arm();
  // The connection comes up with more to send than the kernel takes, and drains.
  stream_ends ends;
  u.open(ends.ours());
  CHECK(u.owner.wants == 1);
  static_cast<void>(ends.received());
  while (!u.pipe->writable()) {
    static_cast<void>(ends.received());
  }
  // An entry that was linked to itself would keep the thread busy for ever.
  auto answered = std::make_shared<std::promise<void>>();
  u.io.post([answered] { answered->set_value(); });
  u.io.start();
  std::promise<void> patrolled_on;
  timer later(u.io.timers(), [&] { patrolled_on.set_value(); });
  u.io.post([&] { later.start(5); });
  REQUIRE(patrolled_on.get_future().wait_for(20s) == std::future_status::ready);
  // And it is disarmed in the end, so that the next message arms it again.
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (u.pipe->patrol_watches() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(1ms);
  }
  CHECK_FALSE(u.pipe->patrol_watches());
  u.settle();
}

TEST_CASE("stream_pipe: waiting for room on its own account, it is disarmed after it") {
  register_asymmetric_fence();
  unit u;
  for (int i = 0; i < 200; ++i) {
    REQUIRE(u.write(std::string(10'000, 'x')) == 0);
  }
  stream_ends ends;
  u.open(ends.ours());
  CHECK(u.pipe->patrol_watches());
  SUBCASE("all goes out") {
    static_cast<void>(ends.received());
    while (!u.pipe->writable()) {
      static_cast<void>(ends.received());
    }
  }
  SUBCASE("the connection dies") {
    u.pipe->close(true);
  }
  u.io.start();
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (u.pipe->patrol_watches() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(1ms);
  }
  CHECK_FALSE(u.pipe->patrol_watches());
  u.settle();
}

TEST_CASE(
    "stream_pipe: where the I/O thread reads, the application's farewell does not disturb it") {
  // Run with ThreadSanitizer: both sides at once, on the same pipe.
  for (int round = 0; round < 200; ++round) {
    stream_pipe::settings with;
    with.application_reads = false;
    unit u(with);
    stream_ends ends;
    u.open(ends.ours());
    ends.send(ping_bytes("x") + frame_bytes(std::string(20'000, 'd')) + ping_bytes("y"));
    std::thread io_side([&u] { u.pipe->discard_input(); });
    u.pipe->abandon_input();
    io_side.join();
  }
}

TEST_CASE("stream_pipe: commands without end leave others their turn, and nothing is forgotten") {
  stream_ends ends;
  unit u;
  u.open(ends.ours());
  std::string flood;
  for (int i = 0; i < 1500; ++i) {
    flood += command_bytes("ABC", "");
  }
  ends.send(flood + frame_bytes("x"));
  CHECK_FALSE(u.pipe->peek());
  REQUIRE(u.box->take().size() == 1);  // the reason to look again
  CHECK(u.messages() == std::vector<message_parts>{{"x"}});
  // The same within a message that has to be gathered.
  ends.send(frame_bytes("a", flag_more));
  for (int i = 0; i < 30; ++i) {
    ends.send(flood);
    while (u.pipe->peek()) {
    }
  }
  ends.send(frame_bytes("b"));
  std::vector<message_parts> all;
  do {
    all = u.messages();
  } while (all.empty() && !u.box->take().empty());
  CHECK(all == std::vector<message_parts>{{"a", "b"}});
}

}  // namespace slk
