#include "socket/spin_budget.hpp"

#include <doctest/doctest.h>

namespace slk {
namespace {

// How many of so many waits are spun in, each with that success.
int spins(spin_budget& budget, int waits, bool successfully) {
  int spun = 0;
  for (int i = 0; i < waits; ++i) {
    if (budget.should_spin()) {
      budget.spun(successfully);
      ++spun;
    }
  }
  return spun;
}

}  // namespace

TEST_CASE("spin_budget: spins while it pays") {
  spin_budget budget(true);
  CHECK(spins(budget, 1000, true) == 1000);
}

TEST_CASE("spin_budget: stops soon where it does not, and then asks ever more rarely") {
  spin_budget budget(true);
  CHECK(spins(budget, 20, false) < 10);
  const int early = spins(budget, 1000, false);
  const int late = spins(budget, 10'000, false);
  CHECK(early > 0);
  CHECK(early < 10);
  CHECK(late < 5 * early);  // of ten times as many waits
  CHECK(late > 0);
}

TEST_CASE("spin_budget: finds out that it pays again") {
  spin_budget budget(true);
  spins(budget, 10'000, false);
  spins(budget, 1000, true);
  CHECK(spins(budget, 100, true) == 100);
}

TEST_CASE("spin_budget: a thread of one CPU spins when that has been seen to pay") {
  spin_budget budget(false);
  CHECK(spins(budget, 20, true) == 0);
  spins(budget, 1000, true);
  CHECK(spins(budget, 100, true) == 100);
}

}  // namespace slk
