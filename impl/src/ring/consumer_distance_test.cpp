#include "ring/consumer_distance.hpp"

#include <doctest/doctest.h>

namespace slk {
namespace {

// So many chunks, each with a frame that takes so long a line where it is timed; how many are.
int write_chunks(consumer_distance& distance, int chunks, std::uint64_t line_ns,
                 std::size_t lines = 128) {
  int samples = 0;
  for (int i = 0; i < chunks; ++i) {
    distance.chunk_begins(true);
    if (distance.wants_sample()) {
      distance.sample(line_ns * lines, lines);
      ++samples;
    }
  }
  return samples;
}

}  // namespace

TEST_CASE("consumer_distance: near until stores are seen to take long, and near again") {
  consumer_distance distance;
  CHECK_FALSE(distance.is_far());
  write_chunks(distance, 1000, 2);
  CHECK_FALSE(distance.is_far());
  write_chunks(distance, 50, 25);
  CHECK(distance.is_far());
  write_chunks(distance, 300, 2);
  CHECK_FALSE(distance.is_far());
}

TEST_CASE("consumer_distance: few samples, fewer where they cost more") {
  consumer_distance distance;
  CHECK(write_chunks(distance, 1000, 2) == 250);
  write_chunks(distance, 100, 25);
  REQUIRE(distance.is_far());
  const int samples = write_chunks(distance, 1000, 25);
  CHECK(samples > 50);
  CHECK(samples < 70);
}

TEST_CASE("consumer_distance: what a frame waits for its last line is no distance") {
  constexpr std::size_t lines = 16;
  consumer_distance distance;
  write_chunks(distance, 1000, 12, lines);  // 190 ns
  CHECK_FALSE(distance.is_far());
  write_chunks(distance, 100, 46, lines);  // 340 ns, and 25 for each
  CHECK(distance.is_far());
}

TEST_CASE("consumer_distance: an interrupted sample is no distance") {
  consumer_distance distance;
  write_chunks(distance, 100, 2);
  write_chunks(distance, 4, 1'000'000);
  CHECK_FALSE(distance.is_far());
}

TEST_CASE("consumer_distance: takes no sample where that tells nothing, and forgets all") {
  consumer_distance distance;
  for (int i = 0; i < 100; ++i) {
    distance.chunk_begins(false);
    CHECK_FALSE(distance.matters());
  }
  write_chunks(distance, 100, 25);
  CHECK(distance.matters());
  distance.forget();
  CHECK_FALSE(distance.matters());
  CHECK_FALSE(distance.is_far());
}

}  // namespace slk
