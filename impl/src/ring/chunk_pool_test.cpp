#include "ring/chunk_pool.hpp"

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace slk {

TEST_CASE("chunk_pool: the warmest spare is the one that was given back last") {
  chunk_pool pool;
  ring_chunk* first = pool.take(1, chunk_pool::spare::warmest);
  ring_chunk* second = pool.take(ring_chunk_bytes, chunk_pool::spare::warmest);
  REQUIRE(first != nullptr);
  REQUIRE(second != nullptr);
  CHECK(first->capacity == ring_chunk_bytes);
  pool.give_back(first);
  pool.give_back(second);
  CHECK(pool.take(1, chunk_pool::spare::warmest) == second);
  CHECK(pool.take(1, chunk_pool::spare::warmest) == first);
  pool.give_back(first);
  pool.give_back(second);
}

TEST_CASE("chunk_pool: cold spares come again in turn, once 4 MiB of them are there") {
  chunk_pool pool;
  std::vector<ring_chunk*> turn;
  std::set<ring_chunk*> seen;
  for (;;) {
    ring_chunk* chunk = pool.take(1, chunk_pool::spare::coldest);
    REQUIRE(chunk != nullptr);
    pool.give_back(chunk);
    if (!seen.insert(chunk).second) {
      CHECK(chunk == turn.front());
      break;
    }
    turn.push_back(chunk);
  }
  CHECK(turn.size() * ring_chunk_bytes >= std::size_t{4} << 20);
  CHECK(turn.size() * ring_chunk_bytes < std::size_t{5} << 20);
  for (std::size_t i = 1; i < turn.size(); ++i) {
    ring_chunk* chunk = pool.take(1, chunk_pool::spare::coldest);
    CHECK(chunk == turn[i]);
    pool.give_back(chunk);
  }
}

TEST_CASE("chunk_pool: a spare has nothing in it") {
  chunk_pool pool;
  ring_chunk* chunk = pool.take(1, chunk_pool::spare::warmest);
  ring_chunk* other = pool.take(1, chunk_pool::spare::warmest);
  chunk->published = 17;
  chunk->next = other;
  pool.give_back(chunk);
  pool.give_back(other);
  static_cast<void>(pool.take(1, chunk_pool::spare::warmest));
  REQUIRE(pool.take(1, chunk_pool::spare::warmest) == chunk);
  CHECK(chunk->published == 0);
  CHECK(chunk->next == nullptr);
  pool.give_back(chunk);
  pool.give_back(other);
}

TEST_CASE("chunk_pool: larger chunks are as large as asked for, and not kept") {
  chunk_pool pool;
  ring_chunk* large = pool.take(3 * ring_chunk_bytes, chunk_pool::spare::coldest);
  REQUIRE(large != nullptr);
  CHECK(large->capacity == 3 * ring_chunk_bytes);
  std::memset(large->bytes(), 1, large->capacity);
  pool.give_back(large);
  ring_chunk* chunk = pool.take(1, chunk_pool::spare::warmest);
  CHECK(chunk->capacity == ring_chunk_bytes);
  pool.give_back(chunk);
}

TEST_CASE("chunk_pool: threads that take and give back at once never share a chunk") {
  chunk_pool pool;
  std::atomic<int> shared{0};
  const auto exchange = [&](std::size_t number) {
    std::array<ring_chunk*, 40> held{};
    for (std::size_t i = 0; i < 20'000; ++i) {
      ring_chunk*& place = held[(i * 7 + number) % held.size()];
      if (place == nullptr) {
        place = pool.take(1, i % 2 == 0 ? chunk_pool::spare::coldest : chunk_pool::spare::warmest);
        if (place->published.exchange(number) != 0) {
          ++shared;
        }
      } else {
        if (place->published.exchange(0) != number) {
          ++shared;
        }
        pool.give_back(place);
        place = nullptr;
      }
    }
    for (ring_chunk* chunk : held) {
      if (chunk != nullptr) {
        pool.give_back(chunk);
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t number = 1; number <= 3; ++number) {
    threads.emplace_back(exchange, number);
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(shared == 0);
}

}  // namespace slk
