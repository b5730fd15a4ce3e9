#include "base/asymmetric_fence.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

namespace slk {

// Store buffering: each side stores its word, passes its fence and loads the other's. Without the
// fences both may load the old value; with them never.
TEST_CASE("asymmetric_fence: of two sides at least one sees the other's store") {
  register_asymmetric_fence();
  constexpr int rounds = 20'000;
  std::atomic<int> frequent{0};
  std::atomic<int> rare{0};
  std::atomic<int> go{0};
  std::atomic<int> done{0};
  int seen_by_frequent = 0;
  std::thread other([&] {
    for (int round = 1; round <= rounds; ++round) {
      for (int spins = 0; go.load() != round; ++spins) {
        if (spins > 1000) {
          std::this_thread::yield();  // where both share a processor
        }
      }
      frequent.store(round, std::memory_order_relaxed);
      light_fence();
      seen_by_frequent = rare.load(std::memory_order_relaxed);
      done.store(round);
    }
  });
  int both_missed = 0;
  for (int round = 1; round <= rounds; ++round) {
    go.store(round);
    rare.store(round, std::memory_order_relaxed);
    heavy_fence();
    const int seen_by_rare = frequent.load(std::memory_order_relaxed);
    while (done.load() != round) {
      std::this_thread::yield();
    }
    both_missed += seen_by_rare != round && seen_by_frequent != round ? 1 : 0;
  }
  other.join();
  CHECK(both_missed == 0);
}

}  // namespace slk
