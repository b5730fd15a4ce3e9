// What the tests of all models ask: the model holds on both machines, and a mutant does not.

#pragma once

#include <doctest/doctest.h>

#include "explorer.hpp"

namespace slk::model {

inline void check_holds(const model& what) {
  for (const machine how : {machine::x86, machine::weak}) {
    const verdict seen = explore(what, how);
    CHECK_MESSAGE(seen.broken.empty(), seen.broken);
    MESSAGE(seen.states, " states");
  }
}

// why: what the mutant must break.
inline void check_breaks(const model& mutant, machine how, std::string_view why) {
  const verdict seen = explore(mutant, how);
  const std::string found = seen.broken.empty() ? "nothing: the mutant holds" : seen.broken;
  CHECK_MESSAGE(found.find(why) != std::string::npos, found);
}

}  // namespace slk::model
