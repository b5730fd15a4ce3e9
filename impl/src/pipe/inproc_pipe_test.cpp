#include "pipe/inproc_pipe.hpp"

#include <doctest/doctest.h>
#include <poll.h>

#include <memory>
#include <string>
#include <thread>

namespace slk {
namespace {

struct link_ends {
  std::shared_ptr<inproc_link> link = std::make_shared<inproc_link>(std::make_shared<chunk_pool>());
  std::shared_ptr<inbox> sender_box = std::make_shared<inbox>();
  std::shared_ptr<inbox> receiver_box = std::make_shared<inbox>();
  std::shared_ptr<inproc_pipe> sender =
      std::make_shared<inproc_pipe>(link, inproc_link::side::connecting);
  std::shared_ptr<inproc_pipe> receiver =
      std::make_shared<inproc_pipe>(link, inproc_link::side::binding);

  void connect(std::uint64_t send_mark) {
    CHECK_FALSE(link->join(inproc_link::side::connecting, sender, sender_box));
    sender->set_high_water_marks(send_mark, 1);
  }
  void bind(std::uint64_t receive_mark) {
    CHECK_FALSE(link->join(inproc_link::side::binding, receiver, receiver_box));
    receiver->set_high_water_marks(1, receive_mark);
  }
  void write(const std::string& body, bool more = false) const {
    REQUIRE(sender->write(reinterpret_cast<const std::uint8_t*>(body.data()), body.size(), more) ==
            0);
  }
  int fill(int limit = 10'000) const {
    int count = 0;
    while (count < limit && sender->has_room()) {
      write(std::to_string(count++));
    }
    return count;
  }
  // One whole message; its first part.
  std::string read() const {
    REQUIRE(receiver->peek());
    frame_view view;
    receiver->take(view);
    std::string first(reinterpret_cast<const char*>(view.data), view.size_bytes);
    while (view.more) {
      REQUIRE(receiver->peek());
      receiver->take(view);
    }
    return first;
  }
  int drain() const {
    int count = 0;
    while (receiver->peek()) {
      static_cast<void>(read());
      ++count;
    }
    return count;
  }
};

}  // namespace

TEST_CASE("inproc_pipe: the capacity is the sum of both marks, the sender's alone before bind") {
  link_ends l;
  l.connect(3);
  CHECK(l.fill() == 3);
  l.bind(4);
  CHECK(l.fill() == 4);
  CHECK(l.drain() == 7);
}

TEST_CASE("inproc_pipe: without a limit on either side there is none") {
  for (const bool sender_unlimited : {true, false}) {
    link_ends l;
    l.connect(sender_unlimited ? 0 : 1);
    l.bind(sender_unlimited ? 1 : 0);
    CHECK(l.fill(5000) == 5000);
    CHECK(l.drain() == 5000);
  }
}

TEST_CASE("inproc_pipe: room comes back in halves") {
  link_ends l;
  l.connect(5);
  l.bind(5);
  CHECK(l.fill() == 10);
  for (int i = 0; i < 4; ++i) {
    CHECK(l.read() == std::to_string(i));
    CHECK_FALSE(l.sender->has_room());
  }
  CHECK(l.read() == "4");
  CHECK(l.fill() == 5);
}

TEST_CASE("inproc_pipe: before it sleeps the reader reports all that it read") {
  link_ends l;
  l.connect(5);
  l.bind(5);
  CHECK(l.fill() == 10);
  static_cast<void>(l.read());
  l.sender_box->signal().prepare_sleep(true);
  l.sender_box->signal().await_room();
  l.receiver->give_credit();
  CHECK_FALSE(l.sender_box->signal().armed());  // woken
  l.sender_box->signal().finish_sleep();
  CHECK(l.fill() == 1);
}

TEST_CASE("inproc_pipe: a report does not wake a writer that waits for messages alone") {
  link_ends l;
  l.connect(5);
  l.bind(5);
  l.write("x");
  static_cast<void>(l.read());
  l.sender_box->signal().prepare_sleep(true);
  l.receiver->give_credit();
  CHECK(l.sender_box->signal().armed());
  l.sender_box->signal().finish_sleep();
}

TEST_CASE("inproc_pipe: parts count as one message, and become visible with the last") {
  link_ends l;
  l.connect(1);
  l.bind(1);
  l.write("a", true);
  CHECK_FALSE(l.receiver->peek());
  l.write("b", true);
  l.sender->rollback();
  l.write("c", true);
  l.write("d");
  CHECK(l.sender->has_room());
  CHECK(l.read() == "c");
  CHECK_FALSE(l.receiver->peek());
}

TEST_CASE("inproc_pipe: a lowered mark does not leave the writer waiting for ever") {
  link_ends l;
  l.connect(1000);
  l.bind(1000);
  CHECK(l.fill(1) == 1);
  CHECK(l.read() == "0");  // the interval of reports is that of 2000 messages
  for (int i = 0; i < 500; ++i) {
    l.write("x");
  }
  l.sender->set_high_water_marks(2, 1);
  l.receiver->set_high_water_marks(1, 2);
  CHECK_FALSE(l.sender->has_room());
  CHECK(l.drain() == 500);  // as a receiver that only ever polls
  CHECK(l.sender->has_room());
}

TEST_CASE("inproc_pipe: publishing wakes a sleeping reader") {
  register_asymmetric_fence();
  link_ends l;
  l.connect(10);
  l.bind(10);
  l.receiver_box->signal().prepare_sleep(true);
  l.write("part", true);
  CHECK(l.receiver_box->signal().armed());
  l.write("last");
  CHECK_FALSE(l.receiver_box->signal().armed());
  l.receiver_box->signal().finish_sleep();
}

TEST_CASE("inproc_pipe: leaving is told to the other side, once; what was sent stays") {
  link_ends l;
  l.connect(10);
  l.bind(10);
  l.write("x");
  l.sender->leave();
  auto events = l.receiver_box->take();
  REQUIRE(events.size() == 1);
  CHECK(events.front().what == socket_event::kind::ended);
  CHECK(events.front().subject == l.receiver);
  CHECK(l.read() == "x");
  l.receiver->leave();
  CHECK(l.sender_box->take().empty());
}

TEST_CASE("inproc_pipe: who joins a link that was left is told so") {
  link_ends l;
  l.connect(10);
  l.write("testament");
  l.sender->leave();
  CHECK(l.link->join(inproc_link::side::binding, l.receiver, l.receiver_box));
  l.receiver->set_high_water_marks(1, 10);
  CHECK(l.read() == "testament");
}

TEST_CASE("inproc_pipe: an inbox that is closed keeps nobody alive") {
  link_ends l;
  l.connect(10);
  l.bind(10);
  CHECK(l.receiver_box->close().empty());
  l.sender->leave();
  CHECK_FALSE(l.receiver_box->has_events());
  const std::weak_ptr<inbox> box = l.receiver_box;
  l.receiver_box.reset();
  l.sender.reset();
  l.receiver.reset();
  l.link.reset();
  CHECK(box.expired());
}

TEST_CASE("inproc_pipe: two threads that sleep on a small pipe lose no message and no wake-up") {
  register_asymmetric_fence();
  link_ends l;
  l.connect(2);
  l.bind(1);
  constexpr int count = 20'000;
  constexpr int patience_ms = 10'000;
  std::atomic<bool> stuck{false};
  const auto sleep_until = [&](signaler& signal, auto ready) {
    while (!ready() && !stuck) {
      signal.prepare_sleep(true);
      if (&signal == &l.sender_box->signal()) {
        signal.await_room();
      }
      if (!ready()) {
        pollfd item{signal.fd(), POLLIN, 0};
        if (::poll(&item, 1, patience_ms) == 0) {
          stuck = true;
        }
      }
      signal.finish_sleep();
    }
  };
  std::thread writer([&] {
    for (int i = 0; i < count && !stuck; ++i) {
      sleep_until(l.sender_box->signal(), [&] { return l.sender->has_room(); });
      if (!stuck) {
        l.write(std::to_string(i));
      }
    }
  });
  int received = 0;
  bool in_order = true;
  while (received < count && !stuck) {
    sleep_until(l.receiver_box->signal(), [&] {
      if (!l.receiver->peek()) {
        l.receiver->give_credit();
        return l.receiver->peek();
      }
      return true;
    });
    if (!stuck) {
      in_order = in_order && l.read() == std::to_string(received++);
    }
  }
  writer.join();
  CHECK_FALSE(stuck.load());
  CHECK(in_order);
  CHECK(received == count);
}

}  // namespace slk
