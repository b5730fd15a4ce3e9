#include "socket/load_balancer.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "base/asymmetric_fence.hpp"
#include "pipe/inproc_pipe.hpp"
#include "socket/peer_table.hpp"

namespace slk {
namespace {

// One end of an inproc connection to nobody, with room for `marks` messages.
struct lone_pipe {
  explicit lone_pipe(std::uint64_t marks = 2) {
    static_cast<void>(link->join(inproc_link::side::connecting, end, box));
    end->set_high_water_marks(marks, 1);
  }
  std::shared_ptr<inbox> box = std::make_shared<inbox>();
  std::shared_ptr<inproc_link> link = std::make_shared<inproc_link>(std::make_shared<chunk_pool>());
  std::shared_ptr<inproc_pipe> end =
      std::make_shared<inproc_pipe>(link, inproc_link::side::connecting);
};

// Deals a frame; the pipe that got it.
pipe* deal(load_balancer& peers, bool more = false) {
  pipe* target = peers.find();
  if (target != nullptr) {
    REQUIRE(target->write(nullptr, 0, more) == 0);
    peers.frame_written(more);
  }
  return target;
}

}  // namespace

TEST_CASE("load_balancer: in turn, in the order of coming; full ones are passed over") {
  load_balancer peers;
  CHECK(peers.find() == nullptr);
  lone_pipe a(2);
  lone_pipe b(1);
  lone_pipe c(3);
  peers.add(*a.end);
  peers.add(*b.end);
  peers.add(*c.end);
  CHECK(a.end->routed);
  for (const lone_pipe* expected : {&a, &b, &c, &a, &c, &c}) {
    CHECK(deal(peers) == expected->end.get());
  }
  CHECK(deal(peers) == nullptr);
}

TEST_CASE("load_balancer: all frames of a message go to one pipe") {
  load_balancer peers;
  lone_pipe a(1);
  lone_pipe b(5);
  peers.add(*a.end);
  peers.add(*b.end);
  CHECK(deal(peers, true) == a.end.get());
  CHECK(peers.message_open());
  CHECK(deal(peers, true) == a.end.get());
  CHECK(deal(peers, false) == a.end.get());
  CHECK_FALSE(peers.message_open());
  CHECK(deal(peers) == b.end.get());
}

TEST_CASE("load_balancer: a pipe that goes takes the rest of its message along, no other's") {
  load_balancer peers;
  lone_pipe a(5);
  lone_pipe b(5);
  lone_pipe c(5);
  for (const lone_pipe* one : {&a, &b, &c}) {
    peers.add(*one->end);
  }
  CHECK(deal(peers) == a.end.get());
  CHECK(deal(peers, true) == b.end.get());
  SUBCASE("another one, before it") {
    peers.remove(*a.end);
    CHECK_FALSE(peers.dropping());
    CHECK(deal(peers) == b.end.get());
    CHECK(deal(peers) == c.end.get());
  }
  SUBCASE("another one, behind it") {
    peers.remove(*c.end);
    CHECK(deal(peers) == b.end.get());
    CHECK(deal(peers) == a.end.get());
  }
  SUBCASE("the one itself") {
    peers.remove(*b.end);
    peers.remove(*b.end);
    CHECK_FALSE(b.end->routed);
    CHECK(peers.dropping());
    CHECK(peers.message_open());
    peers.frame_dropped(true);
    CHECK(peers.dropping());
    peers.frame_dropped(false);
    CHECK_FALSE(peers.message_open());
    CHECK(deal(peers) == c.end.get());
  }
  SUBCASE("all of them") {
    peers.remove(*b.end);
    peers.remove(*c.end);
    peers.remove(*a.end);
    peers.frame_dropped(false);
    CHECK(peers.find() == nullptr);
    lone_pipe d(1);
    peers.add(*d.end);
    CHECK(deal(peers) == d.end.get());
  }
}

TEST_CASE("peer_table: finds by name, keeps the first of a name, forgets") {
  peer_table peers;
  lone_pipe a;
  lone_pipe b;
  lone_pipe impostor;
  a.end->routing_id = "a";
  b.end->routing_id = std::string("b\0b", 3);
  impostor.end->routing_id = "a";
  CHECK(peers.empty());
  CHECK(peers.find("a") == nullptr);
  CHECK(peers.add(*a.end));
  CHECK(peers.add(*b.end));
  CHECK_FALSE(peers.add(*impostor.end));
  CHECK_FALSE(impostor.end->routed);
  CHECK(peers.find("a") == a.end.get());
  CHECK(peers.find("a") == a.end.get());
  CHECK(peers.find(std::string_view("b\0b", 3)) == b.end.get());
  CHECK(peers.find("b") == nullptr);
  int count = 0;
  peers.each([&count](pipe&) { ++count; });
  CHECK(count == 2);
  peers.remove(*impostor.end);  // was never in
  CHECK(peers.find("a") == a.end.get());
  peers.remove(*a.end);  // found last
  CHECK(peers.find("a") == nullptr);
  CHECK(peers.add(*impostor.end));
  CHECK(peers.find("a") == impostor.end.get());
}

}  // namespace slk
