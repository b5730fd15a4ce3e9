// The accounts of a receiving thread that has several peers.
//
// From several senders: a ledger for each, told apart by the upper 16 bits of a message's number.
// At several receivers: one sequence, of which every number has to come to exactly one of them, and
// to each of them in ascending order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ledger.hpp"

namespace slkbench {

namespace stamp {

inline constexpr unsigned sender_shift = 48;

inline constexpr std::uint64_t first_number_of(std::size_t sender) noexcept {
  return std::uint64_t{sender} << sender_shift;
}

}  // namespace stamp

// Where the library does not say who sent a message.
inline constexpr std::size_t unknown_peer = ~std::size_t{0};

class sender_accounts {
 public:
  // `totals`: messages of each sender; `size_bytes` is 8 at least.
  sender_accounts(std::size_t size_bytes, const std::vector<std::uint64_t>& totals);

  // A message that, by what the library says, came from `peer`.
  void take(std::size_t peer, const std::byte* data, std::ptrdiff_t size) {
    if (ledger* const account = account_of(peer, data, size)) [[likely]] {
      const std::uint64_t before = account->next();
      account->take(data, size);
      progress_ += account->next() - before;
    }
  }
  void take_whole(std::size_t peer, const std::byte* data, std::ptrdiff_t size);

  // How far all senders together have got; see ledger::progress.
  [[nodiscard]] std::uint64_t progress() const noexcept { return progress_; }
  [[nodiscard]] std::uint64_t progress_of(std::size_t sender) const noexcept {
    return ledgers_[sender].progress();
  }
  [[nodiscard]] std::uint64_t received() const noexcept;
  [[nodiscard]] bool is_clean() const noexcept;
  [[nodiscard]] std::string describe() const;

 private:
  ledger* account_of(std::size_t peer, const std::byte* data, std::ptrdiff_t size) noexcept {
    const std::size_t sender =
        size < static_cast<std::ptrdiff_t>(stamp::number_bytes)
            ? peer
            : static_cast<std::size_t>(stamp::read_word(data) >> stamp::sender_shift);
    if (sender >= ledgers_.size() || (peer != unknown_peer && peer != sender)) [[unlikely]] {
      ++nameless_;
      return nullptr;
    }
    return &ledgers_[sender];
  }

  std::vector<ledger> ledgers_;
  std::uint64_t progress_ = 0;
  std::uint64_t nameless_ = 0;  // carry no number of the sender that they came from
};

class receiver_accounts {
 public:
  // `is_dealt`: message n belongs to receiver n modulo their number; otherwise to any of them.
  receiver_accounts(std::size_t size_bytes, std::uint64_t total, std::size_t receivers,
                    bool is_dealt);

  void take(std::size_t receiver, const std::byte* data, std::ptrdiff_t size) {
    if (size == static_cast<std::ptrdiff_t>(size_)) [[likely]] {
      const std::uint64_t number = stamp::read_word(data);
      account& own = accounts_[receiver];
      if (number < total_ && number >= own.next && !is_seen(number) &&
          is_place_of(receiver, number) && form_.carries(data, number)) [[likely]] {
        note(own, number);
        return;
      }
    }
    take_deviation(receiver, data, size);
  }
  void take_whole(std::size_t receiver, const std::byte* data, std::ptrdiff_t size);

  // Messages that came, repeated ones left out.
  [[nodiscard]] std::uint64_t progress() const noexcept { return progress_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return progress_ + extra_; }
  [[nodiscard]] bool is_clean() const noexcept;
  [[nodiscard]] std::string describe() const;

 private:
  struct account {
    std::uint64_t next = 0;  // lowest number that is in order here
    std::uint64_t astray = 0;
    mishaps wrong;
  };

  [[nodiscard]] bool is_seen(std::uint64_t number) const noexcept {
    return (seen_[number / 64] >> (number % 64) & 1) != 0;
  }
  [[nodiscard]] bool is_place_of(std::size_t receiver, std::uint64_t number) const noexcept {
    return !is_dealt_ || number % accounts_.size() == receiver;
  }
  void note(account& own, std::uint64_t number) noexcept {
    seen_[number / 64] |= std::uint64_t{1} << (number % 64);
    own.next = number + 1;
    ++progress_;
  }
  void take_deviation(std::size_t receiver, const std::byte* data, std::ptrdiff_t size);
  void take_in_place(account& own, std::uint64_t number) noexcept;
  void describe_missing(std::string& words) const;

  std::size_t size_;
  std::uint64_t total_;
  bool is_dealt_;
  message_form form_;
  std::vector<std::uint64_t> seen_;  // a bit for each number
  std::vector<account> accounts_;
  std::uint64_t progress_ = 0;
  std::uint64_t extra_ = 0;
};

}  // namespace slkbench
