// The steps of slk::signaler (impl/src/io/signaler.hpp), for every model in which a thread sleeps.

#pragma once

#include "explorer.hpp"

namespace slk::model {

// What is in a signaler's word_.
inline constexpr word place_bit = 1;
inline constexpr word wakers_fence = 2;
inline constexpr word room_bit = 4;

inline word without_place(word value) {
  return static_cast<word>(value & ~(place_bit | room_bit));
}

// The variables and locals of one signaler.
struct signal_words {
  word sleeping;  // word_
  word event;     // the eventfd's count
  word due;       // local of the sleeper: raises_due_
};

// The fence on either side; which goes with which is what the models of the signaler are about.
enum class fence_kind { light, seq_cst, heavy };

inline step fence_step(fence_kind kind) {
  switch (kind) {
    case fence_kind::light:
      return {"light fence", [](cpu& c) { c.light_fence(); }};
    case fence_kind::seq_cst:
      return {"fence", [](cpu& c) { c.fence(); }};
    case fence_kind::heavy:
      return {"heavy fence", [](cpu& c) { c.heavy_fence(); }};
  }
  return {};
}

// signaler::wake(), where every wake-up ends. Its label "woken" is behind it.
inline program wake(signal_words of) {
  return {
      {"take the wake-up",
       [of](cpu& c) {
         if ((c.modify(of.sleeping, without_place, order::acq_rel) & place_bit) == 0) {
           c.go("woken");
         }
       }},
      {"raise", [of](cpu& c) { ++c.direct(of.event); }},
      {"woken", {}},
  };
}

// signaler::wake_if_sleeping().
inline program wake_if_sleeping(signal_words of, fence_kind kind) {
  return join({
      {fence_step(kind),
       {"look at sleeping",
        [of](cpu& c) {
          if ((c.load(of.sleeping) & place_bit) == 0) {
            c.go("woken");
          }
        }}},
      wake(of),
  });
}

// signaler::wake_if_awaiting_room().
inline program wake_if_awaiting_room(signal_words of) {
  return join({
      {fence_step(fence_kind::seq_cst),
       {"look at sleeping",
        [of](cpu& c) {
          constexpr word both = place_bit | room_bit;
          if ((c.load(of.sleeping) & both) != both) {
            c.go("woken");
          }
        }}},
      wake(of),
  });
}

// signaler::wake_if_sleeping_often(), with the sleeper's place or wakers_fence in the word. The
// local counts what the waker did in vain, so often at most.
inline program wake_if_sleeping_often(signal_words of, word vain_fences, word vain_fences_max) {
  return join({
      {fence_step(fence_kind::light),
       {"look at the word",
        [of](cpu& c) {
          if (c.load(of.sleeping) == 0) {
            c.go("woken");
          }
        }},
       {"own fence", [](cpu& c) { c.fence(); }},
       {"look again",
        [=](cpu& c) {
          const word now = c.load(of.sleeping);
          if ((now & place_bit) != 0) {
            c.local(vain_fences) = 0;
            c.go("take the wake-up");
          } else if (now == 0 || ++c.local(vain_fences) < vain_fences_max) {
            c.go("woken");
          }
        }},
       {"clear",
        [=](cpu& c) {
          c.local(vain_fences) = 0;
          const auto change = [](word value) { return value == wakers_fence ? word{0} : value; };
          static_cast<void>(c.modify(of.sleeping, change, order::relaxed));
          c.go("woken");
        }}},
      wake(of),
  });
}

// signaler::prepare_sleep() of one with frequent wakers, of whom some may pass their own fence.
inline program prepare_sleep_by_turns(signal_words of) {
  return {
      {"set sleeping",
       [of](cpu& c) {
         const word bits = static_cast<word>(place_bit | wakers_fence);
         if ((c.exchange(of.sleeping, bits, order::relaxed) & wakers_fence) != 0) {
           c.go("fence");
         }
       }},
      {"heavy fence", [](cpu& c) { c.heavy_fence(); }},
      {"fenced", [](cpu& c) { c.go("prepared"); }},
      {"fence", [](cpu& c) { c.fence(); }},
      {"prepared", {}},
  };
}

// signaler::prepare_sleep(), all wakers being of one kind.
inline program prepare_sleep(signal_words of, fence_kind kind) {
  return {
      {"set sleeping", [of](cpu& c) { c.store(of.sleeping, 1, order::relaxed); }},
      fence_step(kind),
  };
}

// signaler::await_room().
inline program await_room(signal_words of) {
  return {
      {"await room",
       [of](cpu& c) {
         const auto change = [](word value) { return static_cast<word>(value | room_bit); };
         static_cast<void>(c.modify(of.sleeping, change, order::relaxed));
       }},
      {"room fence", [](cpu& c) { c.fence(); }},
  };
}

// poll(2) on the signaler's descriptor, then signaler::finish_sleep(), which has the label
// "finish sleep".
inline program sleep(signal_words of) {
  return {
      {"sleep",
       [of](cpu& c) {
         if (c.direct(of.event) == 0) {
           c.block();
         }
       }},
      {"finish sleep",
       [of](cpu& c) {
         if ((c.modify(of.sleeping, without_place, order::acq_rel) & place_bit) == 0) {
           ++c.local(of.due);
         }
         if (c.local(of.due) == 0) {
           c.go("awake");
         }
       }},
      {"lower",
       [of](cpu& c) {
         c.local(of.due) = static_cast<word>(c.local(of.due) - c.direct(of.event));
         c.direct(of.event) = 0;
       }},
      {"awake", {}},
  };
}

}  // namespace slk::model
