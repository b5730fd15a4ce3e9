#include "base/copy_bytes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

namespace slk {

TEST_CASE("copy_bytes: copies every byte of every size, and none beyond") {
  constexpr std::uint8_t untouched = 0xEE;
  for (std::size_t size = 0; size <= 200; ++size) {
    std::vector<std::uint8_t> from(size);
    for (std::size_t i = 0; i < size; ++i) {
      from[i] = static_cast<std::uint8_t>(i + 1);
    }
    std::vector<std::uint8_t> to(size + 2, untouched);
    copy_bytes(to.data() + 1, from.data(), size);
    CHECK(to.front() == untouched);
    CHECK(to.back() == untouched);
    CHECK(std::vector<std::uint8_t>(to.begin() + 1, to.end() - 1) == from);
  }
}

TEST_CASE("copy_bytes: large copies at every distance of source and destination") {
  std::vector<std::uint8_t> from(20'000);
  for (std::size_t i = 0; i < from.size(); ++i) {
    from[i] = static_cast<std::uint8_t>(i * 31 + i / 256);
  }
  for (const std::size_t size : {2047u, 2048u, 4100u, 9999u}) {
    for (std::size_t distance = 0; distance < 70; ++distance) {
      std::vector<std::uint8_t> to(size + distance);
      copy_bytes(to.data() + distance, from.data(), size);
      CHECK(std::equal(to.begin() + static_cast<std::ptrdiff_t>(distance), to.end(), from.begin()));
    }
  }
}

TEST_CASE("copy_streaming_bytes: every byte of every size from and to every offset, none beyond") {
  constexpr std::uint8_t untouched = 0xEE;
  std::vector<std::uint8_t> from(1000);
  for (std::size_t i = 0; i < from.size(); ++i) {
    from[i] = static_cast<std::uint8_t>(i * 31 + i / 256);
  }
  for (const std::size_t size : {0u, 1u, 63u, 64u, 65u, 127u, 128u, 200u, 640u, 900u}) {
    for (std::size_t offset = 0; offset < 66; ++offset) {
      std::vector<std::uint8_t> to(size + offset + 1, untouched);
      copy_streaming_bytes(to.data() + offset, from.data() + offset / 3, size);
      CHECK(std::equal(from.begin() + static_cast<std::ptrdiff_t>(offset / 3),
                       from.begin() + static_cast<std::ptrdiff_t>(offset / 3 + size),
                       to.begin() + static_cast<std::ptrdiff_t>(offset)));
      CHECK(to.back() == untouched);
      CHECK((offset == 0 || to[offset - 1] == untouched));
    }
  }
}

TEST_CASE("copy_streaming_bytes: whoever sees a later store sees all of it") {
  constexpr std::uint32_t rounds = 20'000;
  constexpr std::size_t slots = 8;
  constexpr std::size_t size_bytes = 1500;
  std::vector<std::uint8_t> shared(slots * size_bytes + 3);
  std::atomic<std::uint32_t> written{0};
  std::atomic<std::uint32_t> read{0};
  std::thread writer([&] {
    std::vector<std::uint8_t> message(size_bytes);
    for (std::uint32_t round = 0; round < rounds; ++round) {
      while (round - read.load(std::memory_order_acquire) >= slots) {
        std::this_thread::yield();
      }
      std::fill(message.begin(), message.end(), static_cast<std::uint8_t>(round));
      copy_streaming_bytes(shared.data() + 3 + round % slots * size_bytes, message.data(),
                           size_bytes);
      written.store(round + 1, std::memory_order_release);
    }
  });
  std::uint32_t wrong = 0;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    while (written.load(std::memory_order_acquire) <= round) {
      std::this_thread::yield();
    }
    const auto at = shared.begin() + static_cast<std::ptrdiff_t>(3 + round % slots * size_bytes);
    wrong += static_cast<std::size_t>(
                 std::count(at, at + size_bytes, static_cast<std::uint8_t>(round))) == size_bytes
                 ? 0
                 : 1;
    read.store(round + 1, std::memory_order_release);
  }
  writer.join();
  CHECK(wrong == 0);
}

TEST_CASE("move_bytes_down: ranges that overlap") {
  std::vector<std::uint8_t> original(12'000);
  for (std::size_t i = 0; i < original.size(); ++i) {
    original[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  }
  for (const std::size_t shift : {0u, 1u, 9u, 63u, 64u, 1000u, 4040u, 4090u, 4095u}) {
    std::vector<std::uint8_t> bytes = original;
    move_bytes_down(bytes.data(), bytes.data() + shift, 7000);
    CHECK(std::equal(bytes.begin(), bytes.begin() + 7000,
                     original.begin() + static_cast<std::ptrdiff_t>(shift)));
  }
}

}  // namespace slk
