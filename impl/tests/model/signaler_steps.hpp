// The steps of slk::signaler (impl/src/io/signaler.hpp), for every model in which a thread sleeps.

#pragma once

#include "explorer.hpp"

namespace slk::model {

// The variables and locals of one signaler.
struct signal_words {
  word sleeping;
  word event;  // the eventfd's count
  word due;    // local of the sleeper: raises_due_
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

// signaler::wake_if_sleeping(). Its label "woken" is behind it.
inline program wake_if_sleeping(signal_words of, fence_kind kind) {
  return {
      fence_step(kind),
      {"look at sleeping",
       [of](cpu& c) {
         if (c.load(of.sleeping) == 0) {
           c.go("woken");
         }
       }},
      {"take the wake-up",
       [of](cpu& c) {
         if (c.exchange(of.sleeping, 0, order::acq_rel) == 0) {
           c.go("woken");
         }
       }},
      {"raise", [of](cpu& c) { ++c.direct(of.event); }},
      {"woken", {}},
  };
}

// signaler::prepare_sleep().
inline program prepare_sleep(signal_words of, fence_kind kind) {
  return {
      {"set sleeping", [of](cpu& c) { c.store(of.sleeping, 1, order::relaxed); }},
      fence_step(kind),
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
         if (c.exchange(of.sleeping, 0, order::acq_rel) == 0) {
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
