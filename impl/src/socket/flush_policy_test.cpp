#include "socket/flush_policy.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/asymmetric_fence.hpp"
#include "base/clock.hpp"
#include "pipe/stream_ends_test.hpp"

namespace slk {
namespace {

class owner_stub final : public stream_owner {
 public:
  void want_writable() noexcept override {}
  void peer_broke_protocol() noexcept override {}
  void replaced() noexcept override {}
};

// A microsecond of the policy lasts a hundred: a slow machine's quick succession is quick enough.
class slow_time {
 public:
  slow_time() {
    calibrate_ticks();
    before_ = std::exchange(detail::ticks_per_us, detail::ticks_per_us * 100);
  }
  ~slow_time() { detail::ticks_per_us = before_; }
  slow_time(const slow_time&) = delete;
  slow_time& operator=(const slow_time&) = delete;

 private:
  std::uint64_t before_ = 0;
};

// The I/O thread does not run: what goes out, the policy has sent.
struct unit {
  unit() {
    register_asymmetric_fence();
    calibrate_ticks();
  }
  ~unit() { io.start(); }  // so that its end lets go of what was armed
  io_thread io;
  std::shared_ptr<inbox> box = std::make_shared<inbox>();
  owner_stub owner;
  flush_policy policy;
};

struct peer {
  explicit peer(unit& u, bool connected = true, std::size_t segment_bytes = 0,
                stream_ends::over transport = stream_ends::over::ipc)
      : u_(u), ends(transport) {
    pipe->set_high_water_marks(0, 0);
    if (connected) {
      pipe->open(u.owner, ends.ours(), segment_bytes, {});
    }
  }
  ~peer() {
    u_.policy.forget(*pipe);
    pipe->close(false);
  }
  void send(const std::string& body) {
    const bool large = body.size() >= stream_pipe::direct_frame_bytes_min;
    const std::uint64_t came_ticks = large ? u_.policy.large_frame_comes(*pipe) : 0;
    REQUIRE(pipe->write(reinterpret_cast<const std::uint8_t*>(body.data()), body.size(), false) ==
            0);
    u_.policy.message_published(*pipe, came_ticks);
  }
  unit& u_;
  stream_ends ends;
  std::shared_ptr<stream_pipe> pipe =
      std::make_shared<stream_pipe>(u_.io, u_.box, stream_pipe::settings{});
};

// Long enough for the policy to see that the socket was idle.
void idle() {
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

// Of so many messages to each in turn: the most that one of them got at once.
std::size_t largest_batch_bytes(const std::vector<std::unique_ptr<peer>>& peers, int messages,
                                const std::string& body) {
  std::size_t largest = 0;
  for (int i = 0; i < messages; ++i) {
    for (const auto& one : peers) {
      one->send(body);
      largest = std::max(largest, one->ends.received().size());
    }
  }
  return largest;
}

// Of so many large frames, which the peer reads at once, one was held back whole.
bool any_gathers(peer& to, const std::string& frame, int frames) {
  bool gathered = false;
  for (int i = 0; i < frames; ++i) {
    to.send(frame);
    gathered = gathered || to.pipe->unflushed_bytes >= frame.size();
    static_cast<void>(to.ends.received());
  }
  return gathered;
}

// Messages in quick succession, until one is held back.
void start_burst(peer& to) {
  for (int i = 0; i < 10'000 && !to.u_.policy.anything_unflushed(); ++i) {
    to.send("burst");
  }
  REQUIRE(to.u_.policy.anything_unflushed());
  static_cast<void>(to.ends.received());
}

}  // namespace

TEST_CASE("flush_policy: a message of an idle socket goes out at once") {
  unit u;
  peer a(u);
  for (int i = 0; i < 10; ++i) {
    idle();
    a.send("x");
    CHECK(a.ends.received() == frame_bytes("x"));
    CHECK_FALSE(u.policy.anything_unflushed());
  }
}

TEST_CASE("flush_policy: a burst is held back until it is large, or the application waits") {
  const slow_time slowly;
  unit u;
  peer a(u);
  start_burst(a);
  u.policy.flush_all();
  CHECK_FALSE(u.policy.anything_unflushed());
  CHECK_FALSE(a.ends.received().empty());
  start_burst(a);
  std::size_t sent = 0;
  while (a.ends.received().empty()) {
    a.send(std::string(1000, 'x'));
    sent += 1000;
    REQUIRE(sent < 1'000'000);
  }
}

TEST_CASE("flush_policy: who flows alone gathers more than who flows in turn with others") {
  const slow_time slowly;
  constexpr std::size_t segment_bytes = 48 * 1024;
  const std::string body(1000, 'x');
  unit u;
  std::vector<std::unique_ptr<peer>> peers;
  peers.push_back(std::make_unique<peer>(u, true, segment_bytes));
  start_burst(*peers[0]);
  CHECK(largest_batch_bytes(peers, 500, body) < 40'000);  // not in full flow yet
  CHECK(largest_batch_bytes(peers, 4'000, body) > 150'000);
  SUBCASE("but for as many messages as the high water mark lets in") {
    peers[0]->pipe->set_high_water_marks(100, 0);
    CHECK(largest_batch_bytes(peers, 1'000, body) > 150'000);  // the one that was begun
    CHECK(largest_batch_bytes(peers, 1'000, body) < 101'000);
  }
  SUBCASE("others of the same socket") {
    peers.push_back(std::make_unique<peer>(u, true, segment_bytes));
    static_cast<void>(largest_batch_bytes(peers, 1'000, body));
    CHECK(largest_batch_bytes(peers, 2'000, body) < 40'000);
  }
  SUBCASE("others of the same thread") {
    unit other;
    peers.push_back(std::make_unique<peer>(other, true, segment_bytes));
    static_cast<void>(largest_batch_bytes(peers, 1'000, body));
    CHECK(largest_batch_bytes(peers, 2'000, body) < 40'000);
    peers.pop_back();
  }
}

TEST_CASE("flush_policy: the batches of a burst grow, so that its beginning does not wait") {
  const slow_time slowly;
  const std::string body(1000, 'x');
  unit u;
  std::vector<std::unique_ptr<peer>> peers;
  peers.push_back(std::make_unique<peer>(u, true, 48 * 1024));
  start_burst(*peers[0]);
  CHECK(largest_batch_bytes(peers, 4'000, body) > 150'000);
  u.policy.flush_all();
  static_cast<void>(peers[0]->ends.received());
  start_burst(*peers[0]);
  std::vector<std::size_t> batches;
  while (batches.size() < 6) {
    peers[0]->send(body);
    if (const std::size_t sent = peers[0]->ends.received().size(); sent > 0) {
      batches.push_back(sent);
    }
  }
  CHECK(batches.front() < 40'000);
  CHECK(batches.back() > 150'000);
  for (std::size_t i = 1; i < batches.size(); ++i) {
    CHECK(batches[i] < 2 * batches[i - 1] + 10'000);
  }
}

TEST_CASE("flush_policy: large frames go by themselves, but gather in full flow over tcp") {
  constexpr std::size_t segment_bytes = 24 * 1024;  // the connection is soon seen to have larger
  const slow_time slowly;
  const std::string body(40'000, 'x');
  unit u;
  peer one(u, true, segment_bytes, stream_ends::over::tcp);
  CHECK_FALSE(any_gathers(one, body, 1));
  CHECK(any_gathers(one, body, 200));
  u.policy.flush_all();
  static_cast<void>(one.ends.received());
  SUBCASE("in order") {
    std::string all;
    std::string received;
    for (char which = 'a'; which <= 'z'; ++which) {
      const std::string other(20'000, which);
      one.send(other);
      all += frame_bytes(other);
      received += one.ends.received();
    }
    u.policy.flush_all();
    received += one.ends.receive(all.size() - received.size());
    CHECK(received == all);
  }
  SUBCASE("not in turn with others") {
    peer other(u, true, segment_bytes, stream_ends::over::tcp);
    static_cast<void>(any_gathers(one, body, 1));
    for (int i = 0; i < 100; ++i) {
      CHECK_FALSE(any_gathers(other, body, 1));
      CHECK_FALSE(any_gathers(one, body, 1));
    }
  }
  SUBCASE("nor where one is larger than a chunk") {
    CHECK_FALSE(any_gathers(one, std::string(ring_chunk_bytes, 'x'), 100));
  }
  SUBCASE("nor over ipc") {
    peer other(u, true, 48 * 1024, stream_ends::over::ipc);
    CHECK_FALSE(any_gathers(other, body, 200));
  }
}

TEST_CASE("flush_policy: the application's wait sends for every peer") {
  const slow_time slowly;
  unit u;
  std::vector<std::unique_ptr<peer>> peers;
  for (int i = 0; i < 20; ++i) {
    peers.push_back(std::make_unique<peer>(u));
  }
  start_burst(*peers[0]);
  for (auto& one : peers) {
    one->send("y");
  }
  u.policy.flush_all();
  CHECK_FALSE(u.policy.anything_unflushed());
  for (auto& one : peers) {
    CHECK(one->ends.received().ends_with(frame_bytes("y")));
  }
}

TEST_CASE("flush_policy: a peer without connection holds nothing back, nor one that has left") {
  const slow_time slowly;
  unit u;
  peer offline(u, false);
  peer online(u);
  for (int i = 0; i < 100; ++i) {
    offline.send("x");
  }
  CHECK_FALSE(u.policy.anything_unflushed());
  start_burst(online);
  u.policy.forget(*online.pipe);
  CHECK_FALSE(u.policy.anything_unflushed());
  u.policy.flush_all();
}

TEST_CASE("flush_policy: with many peers the oldest goes out when together they hold a lot") {
  const slow_time slowly;
  unit u;
  std::vector<std::unique_ptr<peer>> peers;
  for (int i = 0; i < 100; ++i) {
    peers.push_back(std::make_unique<peer>(u));
  }
  start_burst(*peers[0]);
  // 100 peers with less than a batch each, more than 1 MiB together.
  std::size_t reached = 0;
  for (int round = 0; round < 30; ++round) {
    for (auto& one : peers) {
      one->send(std::string(1000, 'x'));
      reached += one->ends.received().size();
    }
  }
  CHECK(reached > 0);
  u.policy.flush_all();
  CHECK_FALSE(u.policy.anything_unflushed());
}

TEST_CASE("flush_policy: a blocked peer does not hold up the others") {
  unit u;
  peer blocked(u);
  peer other(u);
  const std::string chunk(10'000, 'x');
  for (int i = 0; i < 300; ++i) {
    blocked.send(chunk);
  }
  CHECK(u.policy.anything_unflushed());
  other.send("y");
  u.policy.flush_all();
  CHECK(other.ends.received() == frame_bytes("y"));
  std::size_t total = 0;
  for (int i = 0; i < 1000 && u.policy.anything_unflushed(); ++i) {
    total += blocked.ends.received().size();
    u.policy.flush_all();
  }
  total += blocked.ends.received().size();
  CHECK(total == 300 * frame_bytes(chunk).size());
}

TEST_CASE("flush_policy: a burst that has become a trickle is none, and messages go out at once") {
  unit u;
  peer one(u);
  {
    const slow_time slowly;
    start_burst(one);
    u.policy.flush_all();
    start_burst(one);
  }
  int looks = 0;
  for (; looks < 20; ++looks) {
    one.send("by and by");
    const bool at_once = !one.ends.received().empty();
    if (at_once) {
      break;
    }
    static_cast<void>(one.pipe->on_patrol());
    static_cast<void>(one.ends.received());
    idle();
  }
  CHECK(looks > 0);
  CHECK(looks < 20);
  for (int i = 0; i < 20; ++i) {
    one.send("by and by");
    CHECK(one.ends.received() == frame_bytes("by and by"));
    idle();
  }
}

TEST_CASE("flush_policy: a thread that deals over many sockets is busy on each of them") {
  const slow_time slowly;
  constexpr std::size_t sockets = 8;
  std::vector<std::unique_ptr<unit>> units;
  std::vector<std::unique_ptr<peer>> peers;
  for (std::size_t i = 0; i < sockets; ++i) {
    units.push_back(std::make_unique<unit>());
    peers.push_back(std::make_unique<peer>(*units.back()));
  }
  const auto all_in_burst = [&units] {
    return std::all_of(units.begin(), units.end(),
                       [](const auto& one) { return one->policy.anything_unflushed(); });
  };
  for (int round = 0; round < 10'000 && !all_in_burst(); ++round) {
    for (const auto& one : peers) {
      one->send("in turn");
    }
  }
  CHECK(all_in_burst());
  for (const auto& one : units) {
    one->policy.flush_all();
  }
}

}  // namespace slk
