#include "base/try_lock.hpp"

#include <doctest/doctest.h>

#include <thread>

namespace slk {

TEST_CASE("try_lock: refuses while it is held") {
  try_lock lock;
  CHECK(lock.try_acquire());
  CHECK_FALSE(lock.try_acquire());
  lock.release();
  {
    const try_lock_guard guard(lock);
    CHECK_FALSE(lock.try_acquire());
  }
  CHECK(lock.try_acquire());
  lock.release();
}

TEST_CASE("try_lock: what one holder wrote the next one reads") {
  try_lock lock;
  long guarded = 0;
  constexpr long rounds = 20'000;
  const auto work = [&] {
    for (long i = 0; i < rounds; ++i) {
      const try_lock_guard guard(lock);
      ++guarded;
    }
  };
  std::thread other(work);
  work();
  other.join();
  CHECK(guarded == 2 * rounds);
}

}  // namespace slk
