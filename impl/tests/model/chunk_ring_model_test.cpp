// Models slk::chunk_ring (impl/src/ring/chunk_ring.cpp): bytes pass through linked chunks, and an
// emptied chunk comes back through slk::chunk_pool; and reset_drained(), where the producer holds
// the lock of the consumers (slk::stream_writer::flush).

#include "checks.hpp"

namespace slk::model {
namespace {

// -- the chain of chunks --------------------------------------------------------------------------

// Chunks are numbered from 1, and hold two frames; 0 is null. A frame holds its own number.
constexpr word chunks = 4;
constexpr word chunk_frames = 2;
constexpr word frames = 7;

// The second message has two frames: it is begun in the first chunk, and carried to the next.
constexpr bool ends_message(word frame) {
  return frame != 2;
}

enum variable : word {
  first,
  pool_lock,
  slot,                        // the pool, which keeps one
  next,                        // of chunk 1; those of the others follow
  published = next + chunks,   // the same
  freed = published + chunks,  // the same; bookkeeping
  bytes = freed + chunks,      // the frames of chunk 1, of chunk 2...
  variables = bytes + chunks * chunk_frames,
};

enum producer_local : word { frame, tail, written, shown, fresh, allocated };
enum consumer_local : word { seen, head, consumed, limit, following };

constexpr word of_chunk(word base, word chunk) {
  return static_cast<word>(base + chunk - 1);
}
constexpr word place(word chunk, word index) {
  return static_cast<word>(bytes + (chunk - 1) * chunk_frames + index);
}

void touch(cpu& c, word chunk) {
  if (c.direct(of_chunk(freed, chunk)) != 0) {
    c.fail("a chunk is used after it was freed");
  }
}

// reserve(), commit(), publish(), with take_recycled() and the carrying of a begun message.
program producer() {
  return {
      {"reserve",
       [](cpu& c) {
         if (++c.local(frame) > frames) {
           c.end();
         } else if (c.local(tail) != 0 && c.local(written) < chunk_frames) {
           c.go("write");
         }
       }},
      {"lock the pool",
       [](cpu& c) {
         if (c.exchange(pool_lock, 1, order::acquire) != 0) {
           c.again();
         }
       }},
      {"take a spare",
       [](cpu& c) {
         c.local(fresh) = c.load(slot);
         if (c.local(fresh) == 0) {
           c.local(fresh) = ++c.local(allocated);
           if (c.local(fresh) > chunks) {
             c.fail("the model has too few chunks");
           }
         }
       }},
      {"clear the slot", [](cpu& c) { c.store(slot, 0, order::relaxed); }},
      {"unlock the pool", [](cpu& c) { c.unlock(pool_lock); }},
      {"reset next", [](cpu& c) { c.store(of_chunk(next, c.local(fresh)), 0, order::relaxed); }},
      {"reset published",
       [](cpu& c) { c.store(of_chunk(published, c.local(fresh)), 0, order::relaxed); }},
      {"carry",
       [](cpu& c) {
         if (c.local(tail) != 0 && c.local(written) != c.local(shown)) {
           c.store(place(c.local(fresh), 0), static_cast<word>(c.local(frame) - 1), order::relaxed);
         }
       }},
      {"link",
       [](cpu& c) {
         if (c.local(tail) == 0) {
           c.store(first, c.local(fresh), order::release);
         } else {
           touch(c, c.local(tail));
           c.store(of_chunk(next, c.local(tail)), c.local(fresh), order::release);
         }
         c.local(tail) = c.local(fresh);
         c.local(written) = static_cast<word>(c.local(written) - c.local(shown));
         c.local(shown) = c.local(fresh) = 0;
       }},
      {"write",
       [](cpu& c) {
         c.store(place(c.local(tail), c.local(written)++), c.local(frame), order::relaxed);
         if (!ends_message(c.local(frame))) {
           c.back("reserve");
         }
       }},
      {"publish",
       [](cpu& c) {
         touch(c, c.local(tail));
         c.local(shown) = c.local(written);
         c.store(of_chunk(published, c.local(tail)), c.local(written), order::release);
         c.back("reserve");
       }},
  };
}

// front(), consume() and recycle(), for ever until all has been read.
program consumer() {
  return {
      {"look at the first",
       [](cpu& c) {
         c.local(head) = c.load(first);
         if (c.local(head) == 0) {
           c.again();
         }
       }},
      {"front",
       [](cpu& c) {
         touch(c, c.local(head));
         c.local(limit) = c.load(of_chunk(published, c.local(head)));
         if (c.local(limit) != c.local(consumed)) {
           c.go("read");
         }
       }},
      {"look at next",
       [](cpu& c) {
         c.local(following) = c.load(of_chunk(next, c.local(head)));
         if (c.local(following) == 0) {
           c.back("front");
         }
       }},
      {"look at published again",
       [](cpu& c) {
         c.local(limit) = c.load(of_chunk(published, c.local(head)));
         if (c.local(limit) != c.local(consumed)) {
           c.go("read");
         }
       }},
      {"lock the pool",
       [](cpu& c) {
         if (c.exchange(pool_lock, 1, order::acquire) != 0) {
           c.again();
         }
       }},
      {"is the slot free",
       [](cpu& c) {
         if (c.load(slot) != 0) {
           c.direct(of_chunk(freed, c.local(head))) = 1;
           c.go("unlock the pool");
         }
       }},
      {"give back", [](cpu& c) { c.store(slot, c.local(head), order::relaxed); }},
      {"unlock the pool", [](cpu& c) { c.unlock(pool_lock); }},
      {"drop",
       [](cpu& c) {
         c.local(head) = c.local(following);
         c.local(consumed) = c.local(following) = 0;
         c.back("front");
       }},
      {"read",
       [](cpu& c) {
         const word expected = ++c.local(seen);
         if (c.load(place(c.local(head), c.local(consumed)++)) != expected) {
           c.fail("read what was not written");
         } else if (!ends_message(expected) && c.local(consumed) == c.local(limit)) {
           c.fail("a message was split");
         } else if (expected == frames) {
           c.end();
         } else if (c.local(consumed) < c.local(limit)) {
           c.again();
         } else {
           c.back("front");
         }
       }},
  };
}

model chain() {
  model made;
  made.variables = {"first", "pool_lock", "slot"};
  for (const char* name : {"next", "published", "freed"}) {
    for (word chunk = 1; chunk <= chunks; ++chunk) {
      made.variables.push_back(name + std::to_string(chunk));
    }
  }
  for (word chunk = 1; chunk <= chunks; ++chunk) {
    for (word index = 0; index < chunk_frames; ++index) {
      made.variables.push_back("bytes" + std::to_string(chunk) + "." + std::to_string(index));
    }
  }
  made.threads = {{"producer", producer()}, {"consumer", consumer()}};
  return made;
}

// -- the drained ring -----------------------------------------------------------------------------

// One chunk of one place, written again and again.
constexpr word rounds = 3;

enum drained_variable : word { cell, shown_bytes, consumed_bytes, lock, sent };
enum drained_local : word { round_, at, end };

program send_locked() {
  return {
      {"take the position", [](cpu& c) { c.local(at) = c.load(consumed_bytes); }},
      {"look at the ring",
       [](cpu& c) {
         c.local(end) = c.load(shown_bytes);
         if (c.local(end) < c.local(at)) {
           c.fail("consumed what is not published");
         } else if (c.local(end) == c.local(at)) {
           c.go("sent");
         }
       }},
      {"send",
       [](cpu& c) {
         if (c.load(cell) != ++c.direct(sent)) {
           c.fail("sent what was not written");
         }
       }},
      {"consume", [](cpu& c) { c.store(consumed_bytes, c.local(end), order::relaxed); }},
      {"sent", {}},
  };
}

// A message, then flushes until the place is free again.
program writer_that_resets() {
  return join({
      {{"write",
        [](cpu& c) {
          if (c.local(round_) == rounds) {
            c.end();
          } else {
            c.store(cell, ++c.local(round_), order::relaxed);
          }
        }},
       {"publish", [](cpu& c) { c.store(shown_bytes, 1, order::release); }},
       {"try the lock",
        [](cpu& c) {
          if (c.exchange(lock, 1, order::acquire) != 0) {
            c.again();
          }
        }}},
      send_locked(),
      {{"reset published", [](cpu& c) { c.store(shown_bytes, 0, order::relaxed); }},
       {"reset consumed", [](cpu& c) { c.store(consumed_bytes, 0, order::relaxed); }},
       {"unlock", [](cpu& c) { c.unlock(lock); }},
       {"next", [](cpu& c) { c.back("write"); }}},
  });
}

model drained_ring() {
  model made;
  made.variables = {"cell", "published", "consumed", "lock", "sent"};
  made.threads = {
      {"application", writer_that_resets()},
      {"I/O thread", join({{{"try the lock",
                             [](cpu& c) {
                               if (c.direct(sent) == rounds) {
                                 c.end();
                               } else if (c.exchange(lock, 1, order::acquire) != 0) {
                                 c.again();
                               }
                             }}},
                           send_locked(),
                           {{"unlock", [](cpu& c) { c.unlock(lock); }},
                            {"next", [](cpu& c) { c.back("try the lock"); }}}})},
  };
  return made;
}

constexpr std::string_view after_free = "a chunk is used after it was freed";
constexpr std::string_view wrong = "read what was not written";

}  // namespace

static_assert(variables <= variables_max);

TEST_CASE("chunk_ring: every byte arrives, in order, whole messages, from live chunks") {
  check_holds(chain());
}

TEST_CASE("chunk_ring: bytes before published, resets before the link") {
  const model made = chain();
  const auto relaxed_publish = [](cpu& c) {
    c.local(shown) = c.local(written);
    c.store(of_chunk(published, c.local(tail)), c.local(written), order::relaxed);
    c.back("reserve");
  };
  check_breaks(made.with("producer", "publish", relaxed_publish), machine::weak, wrong);
  check_breaks(made.without("producer", "reset published"), machine::x86, wrong);
  check_breaks(made.without("producer", "reset next"), machine::x86, after_free);
  const auto relaxed_link = [](cpu& c) {
    const word where = c.local(tail) == 0 ? word{first} : of_chunk(next, c.local(tail));
    c.store(where, c.local(fresh), order::relaxed);
    c.local(tail) = c.local(fresh);
    c.local(written) = static_cast<word>(c.local(written) - c.local(shown));
    c.local(shown) = c.local(fresh) = 0;
  };
  check_breaks(made.with("producer", "link", relaxed_link), machine::weak, wrong);
}

TEST_CASE("chunk_ring: published is looked at again before a chunk is dropped") {
  check_breaks(chain().with("consumer", "look at published again", [](cpu&) {}), machine::x86,
               wrong);
}

TEST_CASE("chunk_ring: a chunk is taken from the pool once") {
  check_breaks(chain().without("producer", "clear the slot"), machine::x86, wrong);
}

TEST_CASE("chunk_ring: a drained ring starts over under the lock") {
  const model made = drained_ring();
  check_holds(made);
  check_breaks(made.swapped("application", "unlock", "reset consumed"), machine::x86,
               "consumed what is not published");
  check_breaks(made.swapped("application", "unlock", "reset published"), machine::x86,
               "sent what was not written");
  check_breaks(made.with("application", "unlock", [](cpu& c) { c.store(lock, 0, order::relaxed); }),
               machine::weak, "consumed what is not published");
}

}  // namespace slk::model
