// Models slk::signaler (impl/src/io/signaler.hpp): how a thread that is about to sleep and those
// that would wake it never miss each other, and which fences that takes on either side.

#include <algorithm>

#include "checks.hpp"
#include "signaler_steps.hpp"

namespace slk::model {
namespace {

enum variable : word { ring, inbox, sleeping, event };
enum local : word { ring_seen, inbox_seen, due, has_pipe, vain_fences, has_fenced };

constexpr signal_words signal{sleeping, event, due};

// The socket's thread: looks, sleeps, looks, until it has seen all.
program sleeper(fence_kind kind, word ring_wanted, word inbox_wanted) {
  return join({
      {{"look at the ring", [](cpu& c) { c.local(ring_seen) = c.load(ring); }},
       {"look at the inbox",
        [=](cpu& c) {
          c.local(inbox_seen) = c.load(inbox);
          if (c.local(ring_seen) == ring_wanted && c.local(inbox_seen) == inbox_wanted) {
            c.end();
          }
        }}},
      prepare_sleep(signal, kind),
      {{"last look at the ring",
        [](cpu& c) {
          if (c.load(ring) != c.local(ring_seen)) {
            c.go("finish sleep");
          }
        }},
       {"last look at the inbox",
        [](cpu& c) {
          if (c.load(inbox) != c.local(inbox_seen)) {
            c.go("finish sleep");
          }
        }}},
      sleep(signal),
      {{"once more", [](cpu& c) { c.back("look at the ring"); }}},
  });
}

program publish(word where, word value, fence_kind kind) {
  return join({{{"publish", [=](cpu& c) { c.store(where, value, order::release); }}},
               wake_if_sleeping(signal, kind)});
}

// A raise that no sleep has taken must be known, or every later sleep ends at once.
std::string all_raises_accounted(const state& at) {
  return at.memory[event] == at.threads[0].locals[due] ? "" : "a raise was left behind";
}

model sleeper_and(fence_kind kind, word ring_wanted, word inbox_wanted,
                  std::vector<thread> wakers) {
  model made;
  made.variables = {"ring", "inbox", "sleeping", "event"};
  made.threads = {{"sleeper", sleeper(kind, ring_wanted, inbox_wanted)}};
  made.threads.insert(made.threads.end(), wakers.begin(), wakers.end());
  made.final = all_raises_accounted;
  return made;
}

// An inproc producer pays nothing; the sleeper makes up for it with a heavy fence.
model with_inproc_producer() {
  return sleeper_and(fence_kind::heavy, 2, 1,
                     {{"producer", join({publish(ring, 1, fence_kind::light),
                                         publish(ring, 2, fence_kind::light)})},
                      {"I/O thread", publish(inbox, 1, fence_kind::seq_cst)}});
}

// No inproc pipe: every waker passes a fence of its own, and so does the sleeper.
model without_inproc() {
  return sleeper_and(fence_kind::seq_cst, 1, 2,
                     {{"peer", publish(ring, 1, fence_kind::seq_cst)},
                      {"I/O thread", join({publish(inbox, 1, fence_kind::seq_cst),
                                           publish(inbox, 2, fence_kind::seq_cst)})}});
}

// A sleeper without inproc pipes is given one (inproc_registry::connect()), and at once a message
// through it. It learns of the pipe from its inbox; only then it sleeps with the heavy fence.
model with_inproc_pipe_that_comes() {
  model made = sleeper_and(fence_kind::heavy, 1, 1,
                           {{"connecting peer", join({publish(inbox, 1, fence_kind::seq_cst),
                                                      publish(ring, 1, fence_kind::light)})}});
  made = made.with("sleeper", "look at the ring", [](cpu& c) {
    if (c.local(has_pipe) != 0) {
      c.local(ring_seen) = c.load(ring);
    }
  });
  made = made.with("sleeper", "look at the inbox", [](cpu& c) {
    c.local(inbox_seen) = c.load(inbox);
    if (c.local(ring_seen) == 1) {
      c.end();
    } else if (c.local(inbox_seen) == 1 && c.local(has_pipe) == 0) {
      c.local(has_pipe) = 1;
      c.back("look at the ring");
    }
  });
  made = made.with("sleeper", "heavy fence",
                   [](cpu& c) { c.local(has_pipe) != 0 ? c.heavy_fence() : c.fence(); });
  return made.with("sleeper", "last look at the ring", [](cpu& c) {
    if (c.local(has_pipe) != 0 && c.load(ring) != c.local(ring_seen)) {
      c.go("finish sleep");
    }
  });
}

// As it is: who sleeps with a heavy fence has the producer pass its own, until that was in vain for
// too long.
model with_fences_by_turns(word vain_fences_max) {
  const auto published = [=](word value) {
    return join({{{"publish", [=](cpu& c) { c.store(ring, value, order::release); }}},
                 wake_if_sleeping_often(signal, vain_fences, vain_fences_max)});
  };
  model made = sleeper_and(fence_kind::heavy, 3, 1,
                           {{"producer", join({published(1), published(2), published(3)})},
                            {"I/O thread", publish(inbox, 1, fence_kind::seq_cst)}});
  program& steps = made.threads[0].steps;
  const auto named = [&](std::string_view name) {
    return std::find_if(steps.begin(), steps.end(), [&](const step& s) { return s.name == name; });
  };
  const auto at = steps.erase(named("set sleeping"), named("heavy fence") + 1);
  const program prepare = prepare_sleep_by_turns(signal);
  steps.insert(at, prepare.begin(), prepare.end());
  return made;
}

constexpr std::string_view sleeps = "sleeper waits for ever at: sleep";

}  // namespace

TEST_CASE("signaler: light fence of the waker, heavy fence of the sleeper") {
  const model made = with_inproc_producer();
  check_holds(made);
  check_breaks(made.without("sleeper", "heavy fence"), machine::x86, sleeps);
  check_breaks(made.with("sleeper", "heavy fence", [](cpu& c) { c.fence(); }), machine::x86,
               sleeps);
  check_breaks(made.without("sleeper", "set sleeping"), machine::x86, sleeps);
}

TEST_CASE("signaler: the producer's fence and the sleeper's heavy one by turns") {
  check_holds(with_fences_by_turns(1));
  check_holds(with_fences_by_turns(2));
  const model made = with_fences_by_turns(1);
  check_breaks(made.without("sleeper", "heavy fence"), machine::x86, sleeps);
  // The sleeper's own fence is not missed here: a read-modify-write goes to memory at once.
  check_breaks(made.without("producer", "own fence"), machine::x86, sleeps);
  // A producer that wipes out a place, seen too late.
  check_breaks(made.with("producer", "clear",
                         [](cpu& c) {
                           c.store(sleeping, 0, order::relaxed);
                           c.go("woken");
                         }),
               machine::x86, sleeps);
  // A sleeper that remembers what it set, and does not look whether it still stands.
  check_breaks(made.with("sleeper", "set sleeping",
                         [](cpu& c) {
                           const word bits = static_cast<word>(place_bit | wakers_fence);
                           static_cast<void>(c.exchange(sleeping, bits, order::relaxed));
                           if (c.local(has_fenced) != 0) {
                             c.go("fence");
                           }
                           c.local(has_fenced) = 1;
                         }),
               machine::x86, sleeps);
}

TEST_CASE("signaler: a seq_cst fence on both sides") {
  const model made = without_inproc();
  check_holds(made);
  check_breaks(made.without("sleeper", "fence"), machine::x86, sleeps);
  check_breaks(made.without("I/O thread", "fence"), machine::x86, sleeps);
  check_breaks(made.swapped("peer", "publish", "fence"), machine::x86, sleeps);
}

TEST_CASE("signaler: an inproc pipe comes to a sleeper that had none") {
  const model made = with_inproc_pipe_that_comes();
  check_holds(made);
  // Whoever posts to the inbox has to pass a fence, an application's thread as well.
  check_breaks(made.without("connecting peer", "fence"), machine::x86, sleeps);
  check_breaks(made.with("sleeper", "heavy fence", [](cpu& c) { c.fence(); }), machine::x86,
               sleeps);
}

// futex(2) passes a full barrier, then blocks if the word still says so, in one with that look.
TEST_CASE("signaler: asleep on the word itself") {
  model made = sleeper_and(fence_kind::heavy, 1, 1,
                           {{"producer", publish(ring, 1, fence_kind::light)},
                            {"I/O thread", publish(inbox, 1, fence_kind::seq_cst)}});
  made = made.with("sleeper", "sleep", [](cpu& c) {
    c.fence();
    if (c.direct(sleeping) != 0) {
      c.block();
    }
  });
  made = made.with("sleeper", "finish sleep", [](cpu& c) {
    static_cast<void>(c.modify(sleeping, without_place, order::acq_rel));
    c.go("awake");
  });
  made = made.without("producer", "raise").without("I/O thread", "raise");
  check_holds(made);
  check_breaks(made.without("sleeper", "heavy fence"), machine::x86, sleeps);
  check_breaks(made.with("sleeper", "heavy fence", [](cpu& c) { c.fence(); }), machine::x86,
               sleeps);
}

TEST_CASE("signaler: one raise a sleep at most, and none is forgotten") {
  const model made = without_inproc();
  // finish_sleep() that lowers once and forgets what was not raised yet.
  check_breaks(made.with("sleeper", "lower",
                         [](cpu& c) {
                           c.local(due) = 0;
                           c.direct(event) = 0;
                         }),
               machine::x86, "a raise was left behind");
  // Two wakers that look without taking turns.
  check_breaks(made.with("I/O thread", "take the wake-up", [](cpu&) {}), machine::x86,
               "a raise was left behind");
}

}  // namespace slk::model
