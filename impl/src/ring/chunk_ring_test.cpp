#include "ring/chunk_ring.hpp"

#include <doctest/doctest.h>
#include <sched.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace slk {
namespace {

void append(chunk_ring& ring, const std::string& bytes) {
  std::uint8_t* at = ring.reserve(bytes.size());
  REQUIRE(at != nullptr);
  std::memcpy(at, bytes.data(), bytes.size());
  ring.commit(bytes.size());
}

void put(chunk_ring& ring, const std::string& bytes) {
  append(ring, bytes);
  ring.publish();
}

std::string front_of(chunk_ring& ring) {
  const auto bytes = ring.front();
  return {bytes.begin(), bytes.end()};
}

std::string take_all(chunk_ring& ring) {
  std::string all;
  for (auto bytes = ring.front(); !bytes.empty(); bytes = ring.front()) {
    all.append(bytes.begin(), bytes.end());
    ring.consume(bytes.size());
  }
  return all;
}

}  // namespace

TEST_CASE("chunk_ring: empty until something is published") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  CHECK(ring.front().empty());
  CHECK(ring.since_boundary().bytes.empty());
  append(ring, "ab");
  CHECK(ring.has_unpublished());
  CHECK(ring.front().empty());
  append(ring, "cd");
  ring.publish();
  CHECK_FALSE(ring.has_unpublished());
  CHECK(front_of(ring) == "abcd");
  ring.consume(3);
  CHECK(front_of(ring) == "d");
  ring.consume(1);
  CHECK(ring.front().empty());
}

TEST_CASE("chunk_ring: what is unread of several chunks, to be read across them") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  std::array<std::span<const std::uint8_t>, 4> parts;
  CHECK(ring.fronts(parts) == 0);
  std::string all;
  for (int i = 0; i < 7; ++i) {
    const std::string message(30'000, static_cast<char>('a' + i));
    all += message;
    put(ring, message);
  }
  append(ring, "unpublished");
  const auto seen = [&](std::size_t count_max) {
    std::string bytes;
    const std::size_t count = ring.fronts(std::span(parts).first(count_max));
    for (const auto part : std::span(parts).first(count)) {
      bytes.append(part.begin(), part.end());
    }
    return bytes;
  };
  CHECK(seen(0).empty());
  CHECK(seen(1) == all.substr(0, 60'000));  // two fit a chunk
  CHECK(seen(3) == all.substr(0, 180'000));
  CHECK(seen(4) == all);
  for (const std::size_t read : {1u, 59'999u, 60'001u, 59'999u}) {  // in, up to, and across chunks
    ring.consume_across(read);
    all.erase(0, read);
    CHECK(seen(4) == all);
  }
  ring.consume_across(all.size());
  CHECK(ring.fronts(parts) == 0);
  ring.rollback();
  put(ring, "next");
  CHECK(take_all(ring) == "next");
}

TEST_CASE("chunk_ring: rollback drops what was not published, and nothing else") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  put(ring, "kept");
  append(ring, "dropped");
  ring.rollback();
  CHECK_FALSE(ring.has_unpublished());
  put(ring, "next");
  CHECK(take_all(ring) == "keptnext");
}

TEST_CASE("chunk_ring: rollback behind a move to a new chunk") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  put(ring, std::string(ring_chunk_bytes - 4, 'a'));
  append(ring, "1234");
  append(ring, "5678");  // moves the message to the next chunk
  ring.rollback();
  put(ring, "z");
  CHECK(take_all(ring) == std::string(ring_chunk_bytes - 4, 'a') + "z");
}

TEST_CASE("chunk_ring: a message that outgrows its chunk stays contiguous") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  const std::string first(ring_chunk_bytes - 10, 'a');
  put(ring, first);
  append(ring, std::string(8, 'b'));
  append(ring, std::string(100, 'c'));
  CHECK(front_of(ring) == first);
  ring.publish();
  CHECK(front_of(ring) == first);
  ring.consume(first.size());
  CHECK(front_of(ring) == std::string(8, 'b') + std::string(100, 'c'));
}

TEST_CASE("chunk_ring: messages larger than a chunk, and parts that add up to one") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  const std::string large(3 * ring_chunk_bytes + 7, 'L');
  put(ring, "before");
  put(ring, large);
  put(ring, "after");
  std::string parts;
  for (int i = 0; i < 300; ++i) {
    const std::string part(1000, static_cast<char>('a' + i % 26));
    append(ring, part);
    parts += part;
  }
  ring.publish();
  CHECK(front_of(ring) == "before");
  ring.consume(6);
  CHECK(ring.front().size() >= large.size());
  CHECK(take_all(ring) == large + "after" + parts);
}

TEST_CASE("chunk_ring: an absurd size is refused and leaves the ring usable") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  append(ring, "ab");
  CHECK(ring.reserve(SIZE_MAX / 2) == nullptr);
  append(ring, "cd");
  ring.publish();
  CHECK(take_all(ring) == "abcd");
}

TEST_CASE("chunk_ring: chunks come back and are used again") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  const std::string message(ring_chunk_bytes / 2 + 1, 'm');  // one a chunk
  put(ring, message);
  const std::uint8_t* first = ring.front().data();
  put(ring, message);
  ring.consume(message.size());
  CHECK(ring.front().data() != first);  // the first chunk is given back now
  put(ring, message);
  ring.consume(message.size());
  CHECK(ring.front().data() == first);
  // More than the pool keeps.
  for (int i = 0; i < 200; ++i) {
    put(ring, message);
  }
  CHECK(take_all(ring).size() == 201 * message.size());
  put(ring, "end");
  CHECK(take_all(ring) == "end");
}

TEST_CASE("chunk_ring: unconsume goes back to the boundary, mark_boundary moves it") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  put(ring, "aaaa");
  put(ring, "bbbb");
  static_cast<void>(ring.front());
  ring.consume(6);
  CHECK(ring.since_boundary().consumed_bytes == 6);
  ring.unconsume(2);
  CHECK(front_of(ring) == "bbbb");
  ring.mark_boundary();
  ring.consume(3);
  const auto history = ring.since_boundary();
  CHECK(std::string(history.bytes.begin(), history.bytes.end()) == "bbbb");
  CHECK(history.consumed_bytes == 3);
  ring.unconsume(3);
  CHECK(front_of(ring) == "bbbb");
}

TEST_CASE("chunk_ring: a drained ring starts over in the same chunk") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  put(ring, "abc");
  const std::uint8_t* at = ring.front().data();
  ring.reset_drained();  // not drained: nothing happens
  CHECK(front_of(ring) == "abc");
  ring.consume(3);
  ring.reset_drained();
  CHECK(ring.front().empty());
  put(ring, "de");
  CHECK(ring.front().data() == at);
  CHECK(front_of(ring) == "de");
  ring.consume(2);
  append(ring, "f");
  ring.reset_drained();  // something is unpublished: nothing happens
  ring.publish();
  CHECK(front_of(ring) == "f");
}

TEST_CASE("chunk_ring: reset gives the chunk of a huge message back") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  put(ring, std::string(10 * ring_chunk_bytes, 'x'));
  ring.consume(ring.front().size());
  ring.reset_drained();
  CHECK(ring.front().empty());
  CHECK(ring.since_boundary().bytes.empty());
  put(ring, "small");
  CHECK(take_all(ring) == "small");
}

TEST_CASE("chunk_ring: destroyed with unread, unpublished and recycled chunks") {
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::one_thread);
  for (int i = 0; i < 10; ++i) {
    put(ring, std::string(ring_chunk_bytes - 1, 'x'));
  }
  static_cast<void>(ring.front());
  ring.consume(ring_chunk_bytes - 1);
  static_cast<void>(ring.front());
  append(ring, "unpublished");
}

namespace {

// The CPUs that this thread may run on; restored at the end.
class pinning {
 public:
  pinning() {
    CPU_ZERO(&before_);
    REQUIRE(::sched_getaffinity(0, sizeof before_, &before_) == 0);
  }
  ~pinning() { ::sched_setaffinity(0, sizeof before_, &before_); }
  pinning(const pinning&) = delete;
  pinning& operator=(const pinning&) = delete;

  // The number-th of them; false: there are fewer.
  [[nodiscard]] bool pin_to(int number) const {
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &before_) && number-- == 0) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        return ::sched_setaffinity(0, sizeof one, &one) == 0;
      }
    }
    return false;
  }

 private:
  cpu_set_t before_;
};

// How many chunks a ring goes through that is read as it is written, by the number-th CPUs; the
// first messages apart, when it does not know yet who reads it. 0: there are fewer CPUs.
std::size_t chunks_in_use(int written_by, int read_by) {
  const pinning cpus;
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::two_threads);
  std::set<const std::uint8_t*> seen;
  for (int message = 0; message < 100; ++message) {
    if (!cpus.pin_to(written_by)) {
      return 0;
    }
    put(ring, std::string(ring_chunk_bytes / 2 + 1, 'x'));
    if (!cpus.pin_to(read_by)) {
      return 0;
    }
    const auto bytes = ring.front();
    if (message > 2) {
      seen.insert(bytes.data());
    }
    ring.consume(bytes.size());
  }
  return seen.size();
}

}  // namespace

TEST_CASE("chunk_ring: keeps to warm chunks where its two threads share a CPU, and only there") {
  CHECK(chunks_in_use(0, 0) == 2);
  const std::size_t apart = chunks_in_use(0, 1);
  CHECK((apart == 0 || apart > 60));
}

TEST_CASE("chunk_ring: producer and consumer on two threads, all sizes, in order") {
  // A message: its number, its size, and bytes that follow from both; written in up to 4 pieces.
  struct header {
    std::uint32_t number;
    std::uint32_t size_bytes;
  };
  constexpr std::uint32_t count = 20'000;
  const auto pattern = [](std::uint32_t number, std::uint32_t at) {
    return static_cast<std::uint8_t>(number * 31 + at);
  };
  chunk_pool pool;
  chunk_ring ring(pool, chunk_ring::between::two_threads);
  std::thread producer([&] {
    std::minstd_rand random(7);
    for (std::uint32_t number = 0; number < count; ++number) {
      const auto kind = random() % 100;
      const auto size_bytes =
          static_cast<std::uint32_t>(kind == 0   ? random() % (3 * ring_chunk_bytes)
                                     : kind < 10 ? random() % 9000
                                                 : random() % 90);
      if (random() % 50 == 0) {
        if (std::uint8_t* at = ring.reserve(500); at != nullptr) {
          std::memset(at, 0xEE, 500);
          ring.commit(500);
        }
        ring.rollback();
      }
      const header head{number, size_bytes};
      std::uint8_t* at = ring.reserve(sizeof head);
      std::memcpy(at, &head, sizeof head);
      ring.commit(sizeof head);
      for (std::uint32_t done = 0; done < size_bytes;) {
        const auto piece = std::min<std::uint32_t>(size_bytes - done, size_bytes / 3 + 1);
        at = ring.reserve(piece);
        for (std::uint32_t i = 0; i < piece; ++i) {
          at[i] = pattern(number, done + i);
        }
        ring.commit(piece);
        done += piece;
      }
      ring.publish();
    }
  });
  std::uint32_t expected = 0;
  std::uint32_t wrong = 0;
  while (expected < count) {
    const auto bytes = ring.front();
    if (bytes.empty()) {
      std::this_thread::yield();
      continue;
    }
    // Whole messages only.
    std::size_t at = 0;
    while (at < bytes.size()) {
      header head{};
      REQUIRE(bytes.size() - at >= sizeof head);
      std::memcpy(&head, bytes.data() + at, sizeof head);
      at += sizeof head;
      REQUIRE(head.number == expected);
      REQUIRE(bytes.size() - at >= head.size_bytes);
      for (std::uint32_t i = 0; i < head.size_bytes; ++i) {
        wrong += bytes[at + i] != pattern(head.number, i) ? 1 : 0;
      }
      at += head.size_bytes;
      ++expected;
    }
    ring.consume(bytes.size());
  }
  producer.join();
  CHECK(wrong == 0);
  CHECK(ring.front().empty());
}

}  // namespace slk
