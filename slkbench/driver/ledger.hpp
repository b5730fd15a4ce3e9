// Every message accounted for: the sender stamps, the receiver's ledger checks.
//
// A message carries its number (8 bytes, as many as fit), from 16 bytes up a check word after it
// and from 24 bytes up the same check word as its last 8 bytes; the rest is a fixed filling.
// Per message the numbers, the check words and one word of the filling are compared, a place that
// moves from message to message; warm-up messages are compared whole.
//
// Where there are several senders, each counts for itself and has its own ledger; the upper 16 bits
// of its messages' numbers say who it is (see peer_accounts.hpp).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace slkbench {

namespace stamp {

inline constexpr std::size_t number_bytes = 8;
inline constexpr std::size_t check_bytes = 8;
inline constexpr std::size_t checked_size_min = number_bytes + check_bytes;
inline constexpr std::size_t tail_size_min = checked_size_min + check_bytes;

inline std::uint64_t check_word(std::uint64_t number, std::size_t size_bytes) noexcept {
  return ~number ^ (size_bytes * 0x9E37'79B9'7F4A'7C15ULL);
}

inline std::uint64_t read_word(const std::byte* at) noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace stamp

// The payloads of a sender, allocated once and sent in turn: each is stamped some messages before
// it is sent, as an application's would be. One that was stamped just now makes a library wait that
// copies it by wider words than it was stamped by: until the stores are in the cache, behind those
// of the messages before. Measured over inproc at 64 B: a seventh of the time per message, of bare
// memory copies too.
class stamped_payload {
 public:
  // For one of `turns` senders that take turns.
  explicit stamped_payload(std::size_t size_bytes, std::size_t turns = 1);

  // The payload of a message; its numbers are expected in order. Valid for this message.
  const std::byte* stamped(std::uint64_t number) noexcept {
    const std::size_t slot = number & mask_;
    if (numbers_[slot] != number) [[unlikely]]
      stamp(slot, number);
    const std::uint64_t ahead = number + mask_;
    if (numbers_[ahead & mask_] != ahead)
      stamp(ahead & mask_, ahead);
    return at(slot);
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  std::byte* data() noexcept { return bytes_.data(); }

 private:
  // As many as a few messages' stores take to get into the cache, and as fit it.
  static constexpr std::size_t slots_max = 16;
  static constexpr std::size_t total_bytes_max = 4096;

  [[nodiscard]] std::byte* at(std::size_t slot) noexcept { return bytes_.data() + slot * stride_; }
  void stamp(std::size_t slot, std::uint64_t number) noexcept {
    numbers_[slot] = number;
    std::byte* const to = at(slot);
    if (size_ < stamp::number_bytes) {
      std::memcpy(to, &number, size_);  // little endian: the low bytes
      return;
    }
    std::memcpy(to, &number, sizeof number);
    if (size_ < stamp::checked_size_min)
      return;
    const std::uint64_t check = stamp::check_word(number, size_);
    std::memcpy(to + stamp::number_bytes, &check, sizeof check);
    if (size_ >= stamp::tail_size_min)
      std::memcpy(to + size_ - stamp::check_bytes, &check, sizeof check);
  }

  std::size_t size_;
  std::size_t stride_;
  std::size_t mask_;  // one less than there are payloads
  std::vector<std::byte> bytes_;
  std::array<std::uint64_t, slots_max> numbers_;
};

// What a message of a given size, from 8 bytes up, looks like.
class message_form {
 public:
  explicit message_form(std::size_t size_bytes);

  [[nodiscard]] bool carries(const std::byte* data, std::uint64_t number) const noexcept {
    if (stamp::read_word(data) != number)
      return false;
    if (size_ < stamp::checked_size_min)
      return true;
    const std::uint64_t check = stamp::check_word(number, size_);
    if (stamp::read_word(data + stamp::number_bytes) != check)
      return false;
    if (size_ < stamp::tail_size_min)
      return true;
    if (stamp::read_word(data + size_ - stamp::check_bytes) != check)
      return false;
    return filling_words_ == 0 || is_word_whole(data, number);
  }
  // The check words alone, or the whole filling alone.
  [[nodiscard]] bool is_consistent(const std::byte* data) const noexcept;
  [[nodiscard]] bool is_filling_whole(const std::byte* data) const noexcept;

 private:
  bool is_word_whole(const std::byte* data, std::uint64_t number) const noexcept {
    const auto spread = static_cast<std::uint32_t>(number * 0x9E37'79B9ULL);
    const std::size_t word = (std::uint64_t{spread} * filling_words_) >> 32;
    const std::size_t at = stamp::checked_size_min + word * 8;
    return stamp::read_word(data + at) == stamp::read_word(filling_.data() + at);
  }

  std::size_t size_;
  std::size_t filling_words_;
  std::vector<std::byte> filling_;
};

// How often something went wrong, and with which message first.
struct mishap {
  std::uint64_t count = 0;
  std::uint64_t first_number = 0;
  void note(std::uint64_t number) noexcept {
    if (count++ == 0)
      first_number = number;
  }
};

// The mishaps of one receiver or of the messages of one sender, in words.
struct mishaps {
  mishap repeated;
  mishap late;
  mishap corrupt;
  mishap wrong_size;
  std::ptrdiff_t first_wrong_size = 0;

  [[nodiscard]] bool any() const noexcept;
  // Appends clauses to `words`; numbers are told from `first` on.
  void describe(std::string& words, std::uint64_t first, std::size_t size_bytes) const;
};

// A clause more, with a semicolon between two.
void add_clause(std::string& words, const std::string& clause);

class ledger {
 public:
  // `total`: messages that are sent, each of `size_bytes`, with numbers from `first` on.
  ledger(std::size_t size_bytes, std::uint64_t total, std::uint64_t first = 0);

  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }
  [[nodiscard]] std::uint64_t received() const noexcept {
    return next_ - first_ - missing_ + extra_;
  }
  // How far the sender has got, by what has come: what is missing below counts as well.
  [[nodiscard]] std::uint64_t progress() const noexcept { return next_ - first_; }

  // Takes a message of `size` bytes into account; the buffer has room for size_bytes + 8.
  void take(const std::byte* data, std::ptrdiff_t size) {
    if (is_expected(data, size)) [[likely]] {
      ++next_;
      return;
    }
    take_deviation(data, size);
  }
  void take_whole(const std::byte* data, std::ptrdiff_t size);

  // True if every message came once, whole and in order.
  [[nodiscard]] bool is_clean() const noexcept;
  // What was wrong, in words; empty if nothing.
  [[nodiscard]] std::string describe() const;

 private:
  bool is_expected(const std::byte* data, std::ptrdiff_t size) const noexcept {
    if (size != static_cast<std::ptrdiff_t>(size_))
      return false;
    if (size_ < stamp::number_bytes)
      return std::memcmp(data, &next_, size_) == 0;
    return form_.carries(data, next_);
  }
  void take_deviation(const std::byte* data, std::ptrdiff_t size);
  void take_other_number(std::uint64_t number);
  void note_missing(std::uint64_t begin, std::uint64_t end);
  bool was_missing(std::uint64_t number);

  std::size_t size_;
  std::uint64_t first_;
  std::uint64_t end_;   // after the last number
  std::uint64_t next_;  // number that the next message should carry
  message_form form_;

  std::map<std::uint64_t, std::uint64_t> gaps_;  // begin to end of numbers not seen below next_
  std::uint64_t missing_ = 0;
  std::uint64_t extra_ = 0;
  mishaps wrong_;
};

}  // namespace slkbench
