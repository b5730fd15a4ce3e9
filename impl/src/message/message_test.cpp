#include "message/message.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace slk {
namespace {

static_assert(!std::is_copy_constructible_v<message>);
static_assert(std::is_nothrow_move_constructible_v<message>);

std::string text_of(const message& m) {
  return {reinterpret_cast<const char*>(m.data()), m.size()};
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    text[i] = static_cast<char>('a' + i % 26);
  }
  return text;
}

const std::vector<std::size_t> sizes = {0, 1, 47, 48, 49, 64, 255, 256, 8192, 1 << 20};

void count_free(void*, void* hint) {
  ++*static_cast<int*>(hint);
}

TEST_CASE("a fresh message is empty and valid") {
  message m;
  CHECK(m.is_valid());
  CHECK(m.size() == 0);
  CHECK(m.data() != nullptr);
  CHECK_FALSE(m.more());
  CHECK(m.properties() == nullptr);
}

TEST_CASE("bodies of every size keep their bytes") {
  for (const std::size_t size : sizes) {
    const std::string text = pattern(size);
    message m;
    REQUIRE(m.init_buffer(text.data(), size));
    CHECK(m.size() == size);
    CHECK(m.is_inline() == (size <= message::inline_bytes_max));
    CHECK(text_of(m) == text);
    CHECK(reinterpret_cast<std::uintptr_t>(m.data()) % 8 == 0);

    message sized;
    REQUIRE(sized.init_size(size));
    CHECK(sized.size() == size);
    std::memcpy(sized.data(), text.data(), size);
    CHECK(text_of(sized) == text);
  }
}

TEST_CASE("a move empties the source") {
  for (const std::size_t size : sizes) {
    message from;
    REQUIRE(from.init_buffer(pattern(size).data(), size));
    from.set_more(true);
    message to;
    REQUIRE(to.init_buffer(pattern(100).data(), 100));
    to.move_from(from);
    CHECK(text_of(to) == pattern(size));
    CHECK(to.more());
    CHECK(from.is_valid());
    CHECK(from.size() == 0);
    CHECK_FALSE(from.more());
    to.move_from(to);
    CHECK(text_of(to) == pattern(size));
    const message constructed(std::move(to));
    CHECK(text_of(constructed) == pattern(size));
  }
}

TEST_CASE("a copy shares a large body and outlives its source") {
  for (const std::size_t size : sizes) {
    message copy;
    {
      message source;
      REQUIRE(source.init_buffer(pattern(size).data(), size));
      source.set_more(true);
      copy.copy_from(source);
      copy.copy_from(source);
      CHECK((copy.data() == source.data()) == (size > message::inline_bytes_max));
      source.copy_from(source);
      CHECK(text_of(source) == pattern(size));
    }
    CHECK(copy.more());
    CHECK(text_of(copy) == pattern(size));
  }
}

TEST_CASE("foreign data is referred to and given back once, with the last copy") {
  int freed = 0;
  std::array<char, 4> foreign{'a', 'b', 'c', 'd'};
  {
    message first;
    REQUIRE(first.init_data(foreign.data(), foreign.size(), count_free, &freed));
    CHECK(first.data() == reinterpret_cast<std::uint8_t*>(foreign.data()));
    message second;
    second.copy_from(first);
    message third(std::move(first));
    first.close();
    second.close();
    CHECK(freed == 0);
    CHECK(text_of(third) == "abcd");
  }
  CHECK(freed == 1);
}

TEST_CASE("foreign data without a free function is left alone") {
  std::array<char, 2> foreign{'x', 'y'};
  message copy;
  {
    message m;
    REQUIRE(m.init_data(foreign.data(), foreign.size(), nullptr, nullptr));
    copy.copy_from(m);
  }
  CHECK(copy.data() == reinterpret_cast<std::uint8_t*>(foreign.data()));
  CHECK(text_of(copy) == "xy");
}

TEST_CASE("a closed message and foreign memory are told from a live one") {
  message m;
  REQUIRE(m.init_buffer(pattern(1000).data(), 1000));
  m.close();
  CHECK_FALSE(m.is_valid());
  m.init();
  CHECK(m.is_valid());

  for (const unsigned fill : {0x00U, 0xFFU, 0xCDU}) {
    alignas(8) std::array<unsigned char, 64> storage;
    storage.fill(static_cast<unsigned char>(fill));
    CHECK_FALSE(message::at(storage.data())->is_valid());
  }
}

TEST_CASE("a message lives in plain storage and may be moved as bytes") {
  alignas(8) std::array<unsigned char, 64> here{};
  alignas(8) std::array<unsigned char, 64> there{};
  for (const std::size_t size : sizes) {
    REQUIRE(message::at(here.data())->init_buffer(pattern(size).data(), size));
    there = here;
    message* moved = message::at(there.data());
    CHECK(text_of(*moved) == pattern(size));
    moved->close();
  }
}

TEST_CASE("an absurd size is ENOMEM and leaves an empty message") {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  for (const std::size_t size : {most, most - 1, most - 48, most / 2, most / 2 + 1}) {
    message m;
    const status outcome = m.init_size(size);
    CHECK(outcome.error() == ENOMEM);
    CHECK(m.is_valid());
    CHECK(m.size() == 0);
  }
  CHECK(message_block::allocate(most) == nullptr);
}

TEST_CASE("a block that grew as bytes arrived becomes a body") {
  message_block* block = message_block::allocate(10);
  REQUIRE(block != nullptr);
  const std::string text = pattern(5000);
  for (std::size_t at = 0; at < text.size(); at += 100) {
    if (block->capacity() < at + 100) {
      message_block* larger = message_block::grow(block, (at + 100) * 2);
      REQUIRE(larger != nullptr);
      block = larger;
    }
    std::memcpy(block->data() + at, text.data() + at, 100);
    block->set_size(at + 100);
  }
  CHECK(message_block::grow(block, std::numeric_limits<std::size_t>::max()) == nullptr);
  message m;
  m.adopt_block(block);
  CHECK(text_of(m) == text);
}

TEST_CASE("properties are shared by messages and outlive their maker") {
  message_properties* properties =
      message_properties::create({{"Peer-Address", "127.0.0.1"}, {"Socket-Type", "PUSH"}});
  message copy;
  {
    message m;
    m.set_properties(properties);
    m.set_properties(properties);
    properties->release();
    copy.copy_from(m);
    message moved(std::move(m));
    CHECK(m.properties() == nullptr);
    CHECK(moved.properties() == properties);
  }
  REQUIRE(copy.properties() != nullptr);
  CHECK(std::string(copy.properties()->find("peer-address")) == "127.0.0.1");
  CHECK(copy.properties()->find("Identity") == nullptr);
  copy.set_properties(nullptr);
  CHECK(copy.properties() == nullptr);
}

TEST_CASE("copies are dropped by any thread, and the data is given back once") {
  for (int round = 0; round < 200; ++round) {
    int freed = 0;
    std::array<char, 8> foreign{};
    message original;
    REQUIRE(original.init_data(foreign.data(), foreign.size(), count_free, &freed));
    std::vector<message> copies(4);
    for (message& copy : copies) {
      copy.copy_from(original);
    }
    {
      std::vector<std::jthread> threads;
      for (message& copy : copies) {
        threads.emplace_back([mine = std::move(copy)]() mutable { mine.close(); });
      }
      original.close();
    }
    CHECK(freed == 1);
  }
}

}  // namespace
}  // namespace slk
