#include "socket/fair_queue.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/asymmetric_fence.hpp"
#include "pipe/inproc_pipe.hpp"
#include "pipe/stream_ends_test.hpp"
#include "pipe/stream_pipe.hpp"

namespace slk {
namespace {

// Nothing here waits for the I/O thread, which is never started.
class owner_stub final : public stream_owner {
 public:
  void want_writable() noexcept override {}
  void peer_broke_protocol() noexcept override {}
  void replaced() noexcept override {}
};

struct unit {
  io_thread io;
  std::shared_ptr<inbox> box = std::make_shared<inbox>();
  ready_set ready{box->signal().fd()};
  fair_queue queue{ready};
  owner_stub owner;

  std::string take() {
    pipe* from = queue.find();
    if (from == nullptr) {
      return "";
    }
    frame_view view;
    from->take(view);
    std::string body(reinterpret_cast<const char*>(view.data), view.size_bytes);
    queue.frame_taken(*from, view);
    return body;
  }
};

struct stream_peer {
  explicit stream_peer(unit& u) : u_(u) {
    pipe->open(u.owner, ends.ours(), 0, {});
    pipe->reader().watch(u.ready, static_cast<slk::pipe*>(pipe.get()));
    u.queue.add(*pipe);
  }
  ~stream_peer() { leave(); }
  void leave() {
    u_.queue.remove(*pipe);
    pipe->reader().unwatch(u_.ready);
  }
  void send(const std::string& body) const { ends.send(frame_bytes(body)); }

  unit& u_;
  stream_ends ends;
  std::shared_ptr<stream_pipe> pipe =
      std::make_shared<stream_pipe>(u_.io, u_.box, stream_pipe::settings{});
};

struct inproc_peer {
  explicit inproc_peer(unit& u) : u_(u) {
    static_cast<void>(link->join(inproc_link::side::connecting, far, u.box));
    static_cast<void>(link->join(inproc_link::side::binding, near, u.box));
    link->set_marks(inproc_link::side::connecting, 0, 0);
    link->set_marks(inproc_link::side::binding, 0, 0);
    u.queue.add(*near);
  }
  ~inproc_peer() { u_.queue.remove(*near); }
  void send(const std::string& body) const {
    REQUIRE(far->write(reinterpret_cast<const std::uint8_t*>(body.data()), body.size(), false) ==
            0);
  }

  unit& u_;
  std::shared_ptr<inproc_link> link = std::make_shared<inproc_link>(std::make_shared<chunk_pool>());
  std::shared_ptr<inproc_pipe> far =
      std::make_shared<inproc_pipe>(link, inproc_link::side::connecting);
  std::shared_ptr<inproc_pipe> near =
      std::make_shared<inproc_pipe>(link, inproc_link::side::binding);
};

}  // namespace

TEST_CASE("fair_queue: empty") {
  unit u;
  CHECK(u.queue.empty());
  CHECK(u.queue.find() == nullptr);
  CHECK(u.queue.next_ended() == nullptr);
}

TEST_CASE("fair_queue: peers with messages take turns, the others cost none") {
  unit u;
  stream_peer a(u);
  inproc_peer b(u);
  stream_peer c(u);
  stream_peer idle(u);
  for (int i = 0; i < 3; ++i) {
    a.send("a" + std::to_string(i));
    b.send("b" + std::to_string(i));
    c.send("c" + std::to_string(i));
  }
  std::vector<std::string> order;
  for (std::string body = u.take(); !body.empty(); body = u.take()) {
    order.push_back(body);
  }
  REQUIRE(order.size() == 9);
  for (std::size_t round = 0; round < 3; ++round) {
    std::string seen;
    for (std::size_t i = 0; i < 3; ++i) {
      seen += order[3 * round + i][0];
      CHECK(order[3 * round + i][1] == static_cast<char>('0' + round));
    }
    CHECK(seen.find('a') != std::string::npos);
    CHECK(seen.find('b') != std::string::npos);
    CHECK(seen.find('c') != std::string::npos);
  }
}

TEST_CASE("fair_queue: a silent pipe comes back with its edge") {
  unit u;
  stream_peer a(u);
  stream_peer b(u);
  for (int i = 0; i < 10; ++i) {
    CHECK(u.take().empty());
    (i % 2 == 0 ? a : b).send("x");
    CHECK(u.take() == "x");
  }
}

TEST_CASE("fair_queue: what a lone pipe had read is not forgotten when a second one comes") {
  unit u;
  stream_peer stays(u);
  {
    stream_peer leaves(u);
    CHECK(u.take().empty());  // both are silent, and await their edges
  }
  for (int i = 0; i < 3; ++i) {
    stays.send("m" + std::to_string(i));
  }
  CHECK(u.take() == "m0");  // the kernel is empty now, the slab holds the rest
  stream_peer comes(u);
  CHECK(u.take() == "m1");
  CHECK(u.take() == "m2");
  CHECK(u.take().empty());
}

TEST_CASE("fair_queue: one look finds what is there, whatever else falls silent meanwhile") {
  // Every order of inproc and stream pipes, every starting point: a message at any inproc pipe is
  // found by a single look, although silent streams leave the round during it.
  for (unsigned kinds = 0; kinds < 16; ++kinds) {
    for (int start = 0; start < 4; ++start) {
      for (std::size_t holder = 0; holder < 4; ++holder) {
        if ((kinds & (1u << holder)) != 0) {
          continue;
        }
        CAPTURE(kinds);
        CAPTURE(start);
        CAPTURE(holder);
        unit u;
        std::vector<std::unique_ptr<inproc_peer>> inprocs(4);
        std::vector<std::unique_ptr<stream_peer>> streams(4);
        for (std::size_t i = 0; i < 4; ++i) {
          if ((kinds & (1u << i)) != 0) {
            streams[i] = std::make_unique<stream_peer>(u);
            streams[i]->send("warm");
          } else {
            inprocs[i] = std::make_unique<inproc_peer>(u);
            inprocs[i]->send("warm");
          }
        }
        for (int i = 0; i < start; ++i) {
          CHECK(u.take() == "warm");
        }
        // Drain without letting find() see the silence: read the pipes themselves.
        for (auto& one : inprocs) {
          while (one != nullptr && one->near->peek()) {
            frame_view taken;
            one->near->take(taken);
          }
        }
        for (auto& one : streams) {
          while (one != nullptr && one->pipe->peek()) {
            frame_view taken;
            one->pipe->take(taken);
          }
        }
        inprocs[holder]->send("here");
        CHECK(u.take() == "here");
      }
    }
  }
}

TEST_CASE("fair_queue: a message is read to its end before another pipe's turn") {
  unit u;
  stream_peer a(u);
  stream_peer b(u);
  a.ends.send(frame_bytes("a1", flag_more) + frame_bytes("a2", flag_more) + frame_bytes("a3"));
  b.ends.send(frame_bytes("b1", flag_more) + frame_bytes("b2"));
  std::string all;
  for (std::string body = u.take(); !body.empty(); body = u.take()) {
    all += body;
  }
  CHECK((all == "a1a2a3b1b2" || all == "b1b2a1a2a3"));
}

TEST_CASE("fair_queue: a pipe removed in the middle of its message frees the turn") {
  unit u;
  stream_peer a(u);
  a.ends.send(frame_bytes("a1", flag_more) + frame_bytes("a2"));
  CHECK(u.take() == "a1");
  stream_peer b(u);
  b.send("b");
  a.leave();
  CHECK(u.take() == "b");
  CHECK(u.take().empty());
}

TEST_CASE("fair_queue: ended pipes are told once each, when they are read empty") {
  for (const bool alone : {true, false}) {
    CAPTURE(alone);
    unit u;
    stream_peer a(u);
    std::unique_ptr<inproc_peer> other;
    if (!alone) {
      other = std::make_unique<inproc_peer>(u);
    }
    a.send("last");
    a.pipe->end_input();
    CHECK(u.take() == "last");
    CHECK(u.take().empty());
    CHECK(u.take().empty());
    CHECK(u.queue.has_ended());
    CHECK(u.queue.next_ended() == a.pipe.get());
    CHECK(u.queue.next_ended() == nullptr);
  }
}

TEST_CASE("fair_queue: one that was quiet has its turn soon, and then every second one") {
  unit u;
  inproc_peer busy(u);
  inproc_peer quiet(u);
  for (int look = 0; look < 20; ++look) {
    CHECK(u.take().empty());
  }
  for (int i = 0; i < 100; ++i) {
    busy.send("b");
  }
  for (int i = 0; i < 10; ++i) {
    REQUIRE(u.take() == "b");
  }
  for (int i = 0; i < 3; ++i) {
    quiet.send("q");
  }
  int waited = 0;
  while (u.take() == "b") {
    ++waited;
  }
  CHECK(waited <= 32);
  std::string next;
  for (int i = 0; i < 4; ++i) {
    next += u.take();
  }
  CHECK(std::count(next.begin(), next.end(), 'q') == 2);
}

TEST_CASE("fair_queue: of many inproc peers a silent one tells of its next message") {
  register_asymmetric_fence();
  unit u;
  std::vector<std::unique_ptr<inproc_peer>> peers;
  for (int i = 0; i < 40; ++i) {
    peers.push_back(std::make_unique<inproc_peer>(u));
  }
  const auto told_of = [&u] {
    const auto events = u.box->take();
    for (const socket_event& event : events) {
      CHECK(event.what == socket_event::kind::received);
      u.queue.wake(*event.subject);
    }
    return events.size();
  };
  for (int look = 0; look < 200; ++look) {
    CHECK(u.take().empty());
  }
  CHECK(told_of() == 0);
  for (int round = 0; round < 3; ++round) {
    peers[7]->send("a");
    peers[30]->send("b");
    peers[30]->send("c");
    CHECK(u.take().empty());
    CHECK(told_of() == 2);  // once for each peer, not for each message
    std::string received = u.take() + u.take() + u.take();
    std::sort(received.begin(), received.end());
    CHECK(received == "abc");
    // Silent among many others that are: not looked at again before long.
    for (int look = 0; look < 200; ++look) {
      CHECK(u.take().empty());
    }
    // Few that are active stay attended: no peer has to tell.
    peers[7]->send("d");
    CHECK(u.take() == "d");
    CHECK(told_of() == 0);
    for (auto& one : peers) {
      u.queue.wake(*one->near);
    }
    for (int look = 0; look < 200; ++look) {
      CHECK(u.take().empty());
    }
  }
}

TEST_CASE("fair_queue: the last one left gives credit, though it had been looked away from") {
  unit u;
  std::vector<std::unique_ptr<inproc_peer>> peers;
  for (int i = 0; i < 40; ++i) {
    peers.push_back(std::make_unique<inproc_peer>(u));
  }
  for (int look = 0; look < 200; ++look) {
    CHECK(u.take().empty());
  }
  peers.erase(peers.begin() + 1, peers.end());
  inproc_peer& last = *peers.front();
  last.link->set_marks(inproc_link::side::connecting, 10, 0);
  last.link->set_marks(inproc_link::side::binding, 0, 10);
  while (last.far->has_room()) {
    last.send("x");
  }
  CHECK(u.take() == "x");
  u.queue.give_credit();
  CHECK(last.far->has_room());
}

}  // namespace slk
