#include "peer_accounts.hpp"

#include <algorithm>

namespace slkbench {
namespace {

// More of them than this hide what matters.
constexpr std::size_t peers_described = 4;

class peer_words {
 public:
  void add(const char* kind, std::size_t peer, const std::string& clauses) {
    if (clauses.empty())
      return;
    if (++count_ <= peers_described)
      add_clause(words_, std::string(kind) + " " + std::to_string(peer) + ": " + clauses);
  }
  [[nodiscard]] std::string take(const char* kind) {
    if (count_ > peers_described)
      add_clause(words_, std::to_string(count_ - peers_described) + " more " + kind +
                             "s with something wrong");
    return std::move(words_);
  }

 private:
  std::string words_;
  std::size_t count_ = 0;
};

}  // namespace

sender_accounts::sender_accounts(std::size_t size_bytes, const std::vector<std::uint64_t>& totals) {
  ledgers_.reserve(totals.size());
  for (std::size_t sender = 0; sender < totals.size(); ++sender)
    ledgers_.emplace_back(size_bytes, totals[sender], stamp::first_number_of(sender));
}

void sender_accounts::take_whole(std::size_t peer, const std::byte* data, std::ptrdiff_t size) {
  if (ledger* const account = account_of(peer, data, size)) {
    const std::uint64_t before = account->next();
    account->take_whole(data, size);
    progress_ += account->next() - before;
  }
}

std::uint64_t sender_accounts::received() const noexcept {
  std::uint64_t sum = nameless_;
  for (const ledger& each : ledgers_)
    sum += each.received();
  return sum;
}

bool sender_accounts::is_clean() const noexcept {
  return nameless_ == 0 && std::all_of(ledgers_.begin(), ledgers_.end(),
                                       [](const ledger& each) { return each.is_clean(); });
}

std::string sender_accounts::describe() const {
  peer_words words;
  for (std::size_t sender = 0; sender < ledgers_.size(); ++sender)
    words.add("sender", sender, ledgers_[sender].describe());
  std::string all = words.take("sender");
  if (nameless_ > 0)
    add_clause(all, "corrupt: " + std::to_string(nameless_) +
                        " messages do not carry a number of the sender that they came from");
  return all;
}

receiver_accounts::receiver_accounts(std::size_t size_bytes, std::uint64_t total,
                                     std::size_t receivers, bool is_dealt)
    : size_(size_bytes),
      total_(total),
      is_dealt_(is_dealt),
      form_(size_bytes),
      seen_(total / 64 + 1),
      accounts_(receivers) {}

void receiver_accounts::take_whole(std::size_t receiver, const std::byte* data,
                                   std::ptrdiff_t size) {
  const std::uint64_t before = progress_;
  take(receiver, data, size);
  if (progress_ > before && size == static_cast<std::ptrdiff_t>(size_) &&
      !form_.is_filling_whole(data))
    accounts_[receiver].wrong.corrupt.note(stamp::read_word(data));
}

void receiver_accounts::take_deviation(std::size_t receiver, const std::byte* data,
                                       std::ptrdiff_t size) {
  account& own = accounts_[receiver];
  if (size != static_cast<std::ptrdiff_t>(size_)) {
    if (own.wrong.wrong_size.count == 0)
      own.wrong.first_wrong_size = size;
    const bool has_number = size >= static_cast<std::ptrdiff_t>(stamp::number_bytes);
    const std::uint64_t number = has_number ? stamp::read_word(data) : total_;
    own.wrong.wrong_size.note(number < total_ ? number : own.next);
    take_in_place(own, number);
    return;
  }
  const std::uint64_t number = stamp::read_word(data);
  if (number >= total_ || !form_.carries(data, number)) {
    own.wrong.corrupt.note(number < total_ ? number : own.next);
    take_in_place(own, number);
  } else if (is_seen(number)) {
    ++extra_;
    own.wrong.repeated.note(number);
  } else {
    if (!is_place_of(receiver, number))
      ++own.astray;
    else
      own.wrong.late.note(number);
    note(own, number);
  }
}

// A spoilt message stands for the one that was sent, if it still says which.
void receiver_accounts::take_in_place(account& own, std::uint64_t number) noexcept {
  if (number < total_ && !is_seen(number))
    note(own, number);
  else
    ++progress_;
}

bool receiver_accounts::is_clean() const noexcept {
  return progress_ == total_ &&
         std::none_of(accounts_.begin(), accounts_.end(),
                      [](const account& each) { return each.wrong.any() || each.astray > 0; });
}

void receiver_accounts::describe_missing(std::string& words) const {
  std::uint64_t end = 0;
  for (const account& each : accounts_)
    end = std::max(end, each.next);
  std::uint64_t missing = 0;
  std::uint64_t first = 0;
  for (std::uint64_t number = 0; number < end; ++number) {
    if (!is_seen(number) && missing++ == 0)
      first = number;
  }
  if (missing > 0)
    add_clause(words, "lost " + std::to_string(missing) + " of " + std::to_string(total_) +
                          " messages: first missing number " + std::to_string(first));
}

std::string receiver_accounts::describe() const {
  std::string all;
  describe_missing(all);
  peer_words words;
  for (std::size_t receiver = 0; receiver < accounts_.size(); ++receiver) {
    const account& own = accounts_[receiver];
    std::string clauses;
    own.wrong.describe(clauses, 0, size_);
    if (own.astray > 0)
      add_clause(clauses, "astray: " + std::to_string(own.astray) + " messages for another");
    words.add("receiver", receiver, clauses);
  }
  if (const std::string each = words.take("receiver"); !each.empty())
    add_clause(all, each);
  return all;
}

}  // namespace slkbench
