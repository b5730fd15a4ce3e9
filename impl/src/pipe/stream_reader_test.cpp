#include "pipe/stream_reader.hpp"

#include <doctest/doctest.h>
#include <sys/eventfd.h>

#include <memory>

#include "io/ready_set.hpp"
#include "pipe/stream_ends_test.hpp"

namespace slk {
namespace {

using outcome = stream_reader::outcome;

std::string slab_of(const stream_reader& reader) {
  return {reader.slab().begin(), reader.slab().end()};
}

struct watched {
  unique_fd signal{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  ready_set set{signal.get()};
  std::array<ready_set::event, ready_set::batch> events{};
};

}  // namespace

TEST_CASE("stream_reader: reads what is there, behind what was not used") {
  stream_ends ends;
  stream_reader reader;
  CHECK(reader.read_more({}) == outcome::nothing);  // no connection yet
  reader.open(ends.ours(), {});
  CHECK(reader.read_more({}) == outcome::nothing);
  ends.send("abc");
  CHECK(reader.read_more({}) == outcome::bytes);
  CHECK(slab_of(reader) == "abc");
  ends.send("def");
  CHECK(reader.read_more(reader.slab().subspan(2)) == outcome::bytes);
  CHECK(slab_of(reader) == "cdef");
  CHECK(reader.read_more(reader.slab()) == outcome::nothing);
  CHECK(slab_of(reader) == "cdef");
}

TEST_CASE("stream_reader: bytes that came with the handshake are first") {
  stream_ends ends;
  stream_reader reader;
  const std::array<std::uint8_t, 3> early{'e', 'a', 'r'};
  ends.send("ly");
  reader.open(ends.ours(), early);
  CHECK(reader.read_more({}) == outcome::bytes);
  std::string all = slab_of(reader);
  while (all != "early") {
    REQUIRE(reader.read_more(reader.slab()) == outcome::bytes);
    all = slab_of(reader);
  }
}

TEST_CASE("stream_reader: a full slab says so") {
  stream_ends ends;
  stream_reader reader;
  reader.open(ends.ours(), {});
  while (reader.slab().size() < stream_reader::slab_bytes) {
    ends.send(std::string(16 * 1024, 'x'));
    REQUIRE(reader.read_more(reader.slab()) == outcome::bytes);
  }
  ends.send("y");
  CHECK(reader.read_more(reader.slab()) == outcome::full);
  CHECK(reader.read_more(reader.slab().last(1)) == outcome::bytes);
  CHECK(slab_of(reader) == "xy");
}

TEST_CASE("stream_reader: direct reads go on into the slab only if asked") {
  stream_ends ends;
  stream_reader reader;
  reader.open(ends.ours(), {});
  ends.send("0123456789");
  std::array<std::uint8_t, 4> into{};
  std::size_t direct_bytes = 0;
  CHECK(reader.read_direct(into, false, direct_bytes) == outcome::bytes);
  CHECK(direct_bytes == 4);
  CHECK(reader.slab().empty());
  CHECK(reader.read_direct(into, true, direct_bytes) == outcome::bytes);
  CHECK(direct_bytes == 4);
  CHECK(std::string(into.begin(), into.end()) == "4567");
  CHECK(slab_of(reader) == "89");
}

TEST_CASE("stream_reader: a dead connection's bytes come before the restart, then the next one's") {
  auto first = std::make_unique<stream_ends>();
  stream_reader reader;
  reader.open(first->ours(), {});
  first->send("slab");
  CHECK(reader.read_more({}) == outcome::bytes);
  first->send("kernel");
  first->close_far();
  reader.close(true);
  first.reset();
  stream_ends second;
  second.send("next");
  reader.open(second.ours(), {});
  CHECK(reader.read_more(reader.slab()) == outcome::bytes);
  CHECK(slab_of(reader) == "slabkernel");
  CHECK(reader.read_more(reader.slab()) == outcome::restart);
  CHECK(reader.slab().empty());
  CHECK(reader.read_more({}) == outcome::bytes);
  CHECK(slab_of(reader) == "next");
}

TEST_CASE("stream_reader: the end of the stream is told by the I/O thread alone") {
  stream_ends ends;
  stream_reader reader;
  reader.open(ends.ours(), {});
  ends.send("x");
  ends.close_far();
  CHECK(reader.read_more({}) == outcome::bytes);
  CHECK(reader.read_more({}) == outcome::nothing);
  CHECK(reader.read_more({}) == outcome::nothing);
  reader.close(true);
  CHECK(reader.read_more({}) == outcome::restart);
  CHECK(reader.read_more({}) == outcome::nothing);
}

TEST_CASE("stream_reader: abandoned input stays unread") {
  stream_ends ends;
  stream_reader reader;
  reader.open(ends.ours(), {});
  ends.send("x");
  reader.abandon();
  CHECK(reader.read_more({}) == outcome::nothing);
  reader.close(true);
  CHECK(reader.read_more({}) == outcome::nothing);
}

TEST_CASE("stream_reader: relying on edges, it asks the kernel once for each") {
  watched w;
  stream_ends ends;
  stream_reader reader;
  reader.open(ends.ours(), {});
  int tag = 0;
  reader.watch(w.set, &tag);
  reader.rely_on_edges(true);
  CHECK(reader.read_more({}) == outcome::nothing);
  ends.send("a");
  CHECK(reader.read_more({}) == outcome::nothing);  // no edge collected yet
  REQUIRE(w.set.collect(w.events) == 1);
  CHECK(w.events[0].tag == &tag);
  CHECK_FALSE(w.events[0].hang_up);
  reader.set_ready(false);
  CHECK(reader.read_more({}) == outcome::bytes);
  CHECK(reader.read_more({}) == outcome::nothing);
  CHECK(w.set.collect(w.events) == 0);
}

TEST_CASE("stream_reader: a hang-up is an edge behind which there may be more than one read") {
  watched w;
  stream_ends ends;
  stream_reader reader;
  reader.open(ends.ours(), {});
  int tag = 0;
  reader.watch(w.set, &tag);
  reader.rely_on_edges(true);
  CHECK(reader.read_more({}) == outcome::nothing);
  ends.send("last");
  ends.close_far();
  REQUIRE(w.set.collect(w.events) == 1);
  CHECK(w.events[0].hang_up);
  reader.set_ready(true);
  CHECK(reader.read_more({}) == outcome::bytes);
  CHECK(reader.read_more({}) == outcome::nothing);  // the end: read, and kept to itself
}

TEST_CASE("stream_reader: once a connection is closed its edges name nobody") {
  // The session closes the descriptor a moment after the reader has let go of it. In between the
  // socket may drop the pipe: an edge that still named it would be followed into freed memory.
  watched w;
  stream_ends ends;
  int tag = 0;
  {
    stream_reader reader;
    reader.open(ends.ours(), {});
    reader.watch(w.set, &tag);
    ends.send("edge");
    reader.close(true);
    reader.unwatch(w.set);
  }
  ends.close_far();
  CHECK(w.set.collect(w.events) == 0);
}

}  // namespace slk
