// What the tests of all models ask: that a model holds, and that a mutant does not.

#pragma once

#include <doctest/doctest.h>

#include "explorer.hpp"

namespace slk::model {

// The weak machine may do all that x86 may.
inline void check_holds(const model& what) {
  const verdict seen = explore(what, machine::weak);
  CHECK_MESSAGE(seen.broken.empty(), seen.broken);
}

// why: what the mutant must break.
inline void check_breaks(const model& mutant, machine how, std::string_view why) {
  const verdict seen = explore(mutant, how);
  CHECK_MESSAGE(!seen.broken.empty(), "the mutant holds");
  CHECK_MESSAGE(seen.broken.find(why) != std::string::npos, seen.broken);
}

}  // namespace slk::model
