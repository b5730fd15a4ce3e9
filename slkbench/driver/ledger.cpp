#include "ledger.hpp"

#include <algorithm>
#include <bit>
#include <iterator>
#include <limits>

namespace slkbench {
namespace {

static_assert(std::endian::native == std::endian::little, "stamps are little endian");

// The spare bytes let a message that is too long be noticed by what recv returns.
constexpr std::size_t spare_bytes = 8;

std::vector<std::byte> filled(std::size_t size_bytes) {
  std::vector<std::byte> bytes(size_bytes + spare_bytes);
  std::uint32_t state = 0x2545'F491U;
  for (std::byte& byte : bytes) {
    state = state * 1'664'525U + 1'013'904'223U;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

std::string and_more(std::uint64_t count) {
  return count > 1 ? " (and " + std::to_string(count - 1) + " more)" : "";
}

}  // namespace

stamped_payload::stamped_payload(std::size_t size_bytes, std::size_t turns)
    : size_(size_bytes), stride_((size_bytes + spare_bytes + 63) / 64 * 64) {
  // One of two is stamped a turn ahead, which the other senders' messages fill.
  const std::size_t in_turn = std::max(slots_max / std::max(turns, std::size_t{1}), std::size_t{2});
  const std::size_t wanted = std::min(total_bytes_max / stride_, in_turn);
  mask_ = std::bit_floor(std::max(wanted, std::size_t{1})) - 1;
  numbers_.fill(std::numeric_limits<std::uint64_t>::max());
  const std::vector<std::byte> one = filled(size_bytes);
  bytes_.resize(stride_ * (mask_ + 1));
  for (std::size_t slot = 0; slot <= mask_; ++slot)
    std::copy(one.begin(), one.end(), at(slot));
}

message_form::message_form(std::size_t size_bytes)
    : size_(size_bytes),
      filling_words_(size_bytes < stamp::tail_size_min ? 0
                                                       : (size_bytes - stamp::tail_size_min) / 8),
      filling_(filled(size_bytes)) {}

bool message_form::is_consistent(const std::byte* data) const noexcept {
  if (size_ < stamp::checked_size_min)
    return true;
  const std::uint64_t check = stamp::check_word(stamp::read_word(data), size_);
  return stamp::read_word(data + stamp::number_bytes) == check &&
         (size_ < stamp::tail_size_min ||
          stamp::read_word(data + size_ - stamp::check_bytes) == check);
}

bool message_form::is_filling_whole(const std::byte* data) const noexcept {
  return size_ < stamp::tail_size_min ||
         std::memcmp(data + stamp::checked_size_min, filling_.data() + stamp::checked_size_min,
                     size_ - stamp::tail_size_min) == 0;
}

bool mishaps::any() const noexcept {
  return repeated.count + late.count + corrupt.count + wrong_size.count > 0;
}

void add_clause(std::string& words, const std::string& clause) {
  words += (words.empty() ? "" : "; ") + clause;
}

void mishaps::describe(std::string& words, std::uint64_t first, std::size_t size_bytes) const {
  auto message = [first](const mishap& what) {
    return "message " + std::to_string(what.first_number - first);
  };
  if (repeated.count > 0)
    add_clause(words, "duplicate: " + message(repeated) + " came again" + and_more(repeated.count));
  if (late.count > 0)
    add_clause(words, "reordered: " + message(late) + " came late" + and_more(late.count));
  if (corrupt.count > 0)
    add_clause(words, "corrupt: " + message(corrupt) + " does not carry what was sent" +
                          and_more(corrupt.count));
  if (wrong_size.count > 0)
    add_clause(words, "wrong size: " + message(wrong_size) + " has " +
                          std::to_string(first_wrong_size) + " bytes instead of " +
                          std::to_string(size_bytes) + and_more(wrong_size.count));
}

ledger::ledger(std::size_t size_bytes, std::uint64_t total, std::uint64_t first)
    : size_(size_bytes), first_(first), end_(first + total), next_(first), form_(size_bytes) {}

void ledger::take_whole(const std::byte* data, std::ptrdiff_t size) {
  const std::uint64_t before = wrong_.corrupt.count + wrong_.wrong_size.count;
  const std::uint64_t number = next_;
  take(data, size);
  if (wrong_.corrupt.count + wrong_.wrong_size.count == before && !form_.is_filling_whole(data))
    wrong_.corrupt.note(number);
}

void ledger::take_deviation(const std::byte* data, std::ptrdiff_t size) {
  if (size != static_cast<std::ptrdiff_t>(size_)) {
    if (wrong_.wrong_size.count == 0)
      wrong_.first_wrong_size = size;
    wrong_.wrong_size.note(next_++);
    return;
  }
  if (size_ < stamp::number_bytes) {
    // Only the low bytes are there: the nearest number at or above the expected one is meant.
    std::uint64_t low = 0;
    std::memcpy(&low, data, size_);
    const std::uint64_t range = std::uint64_t{1} << (8 * size_);
    const std::uint64_t ahead = (low - next_) & (range - 1);
    take_other_number(ahead < range / 2 || next_ < range - ahead ? next_ + ahead
                                                                 : next_ + ahead - range);
    return;
  }
  const std::uint64_t number = stamp::read_word(data);
  const bool is_known = first_ <= number && number < end_;
  if (number == next_ || !form_.is_consistent(data) || !is_known) {
    wrong_.corrupt.note(next_++);
    return;
  }
  take_other_number(number);
}

void ledger::take_other_number(std::uint64_t number) {
  if (number >= next_) {
    note_missing(next_, number);
    next_ = number + 1;
  } else if (was_missing(number)) {
    wrong_.late.note(number);
  } else {
    ++extra_;
    wrong_.repeated.note(number);
  }
}

void ledger::note_missing(std::uint64_t begin, std::uint64_t end) {
  if (begin == end)
    return;
  gaps_.emplace(begin, end);
  missing_ += end - begin;
}

bool ledger::was_missing(std::uint64_t number) {
  auto gap = gaps_.upper_bound(number);
  if (gap == gaps_.begin())
    return false;
  gap = std::prev(gap);
  const auto [begin, end] = *gap;
  if (number >= end)
    return false;
  gaps_.erase(gap);
  if (begin < number)
    gaps_.emplace(begin, number);
  if (number + 1 < end)
    gaps_.emplace(number + 1, end);
  --missing_;
  return true;
}

bool ledger::is_clean() const noexcept {
  return next_ == end_ && missing_ == 0 && !wrong_.any();
}

std::string ledger::describe() const {
  std::string words;
  if (missing_ > 0)
    add_clause(words, "lost " + std::to_string(missing_) + " of " + std::to_string(end_ - first_) +
                          " messages: first missing number " +
                          std::to_string(gaps_.begin()->first - first_));
  wrong_.describe(words, first_, size_);
  return words;
}

}  // namespace slkbench
