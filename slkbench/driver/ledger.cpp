#include "ledger.hpp"

#include <bit>
#include <iterator>

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

stamped_payload::stamped_payload(std::size_t size_bytes)
    : size_(size_bytes), bytes_(filled(size_bytes)) {}

ledger::ledger(std::size_t size_bytes, std::uint64_t total)
    : size_(size_bytes),
      total_(total),
      filling_words_(size_bytes < stamp::tail_size_min ? 0
                                                       : (size_bytes - stamp::tail_size_min) / 8),
      filling_(filled(size_bytes)) {}

void ledger::take_whole(const std::byte* data, std::ptrdiff_t size) {
  const std::uint64_t before = corrupt_.count + wrong_size_.count;
  const std::uint64_t number = next_;
  take(data, size);
  if (corrupt_.count + wrong_size_.count > before || size_ < stamp::tail_size_min)
    return;
  const std::size_t filling_bytes = size_ - stamp::tail_size_min;
  if (std::memcmp(data + stamp::checked_size_min, filling_.data() + stamp::checked_size_min,
                  filling_bytes) != 0)
    corrupt_.note(number);
}

void ledger::take_deviation(const std::byte* data, std::ptrdiff_t size) {
  if (size != static_cast<std::ptrdiff_t>(size_)) {
    if (wrong_size_.count == 0)
      first_wrong_size_ = size;
    wrong_size_.note(next_++);
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
  const bool is_checked = size_ >= stamp::checked_size_min;
  const bool is_consistent =
      !is_checked ||
      (stamp::read_word(data + stamp::number_bytes) == stamp::check_word(number, size_) &&
       (size_ < stamp::tail_size_min ||
        stamp::read_word(data + size_ - stamp::check_bytes) == stamp::check_word(number, size_)));
  if (number == next_ || !is_consistent || number >= total_) {
    corrupt_.note(next_++);
    return;
  }
  take_other_number(number);
}

void ledger::take_other_number(std::uint64_t number) {
  if (number >= next_) {
    note_missing(next_, number);
    next_ = number + 1;
  } else if (was_missing(number)) {
    late_.note(number);
  } else {
    ++extra_;
    repeated_.note(number);
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
  return next_ == total_ && missing_ == 0 && repeated_.count == 0 && late_.count == 0 &&
         corrupt_.count == 0 && wrong_size_.count == 0;
}

std::string ledger::describe() const {
  std::string words;
  auto add = [&words](const std::string& clause) { words += (words.empty() ? "" : "; ") + clause; };
  const std::uint64_t lost = missing_;
  if (lost > 0)
    add("lost " + std::to_string(lost) + " of " + std::to_string(total_) +
        " messages: first missing number " + std::to_string(gaps_.begin()->first));
  if (repeated_.count > 0)
    add("duplicate: message " + std::to_string(repeated_.first_number) + " came again" +
        and_more(repeated_.count));
  if (late_.count > 0)
    add("reordered: message " + std::to_string(late_.first_number) + " came late" +
        and_more(late_.count));
  if (corrupt_.count > 0)
    add("corrupt: message " + std::to_string(corrupt_.first_number) +
        " does not carry what was sent" + and_more(corrupt_.count));
  if (wrong_size_.count > 0)
    add("wrong size: message " + std::to_string(wrong_size_.first_number) + " has " +
        std::to_string(first_wrong_size_) + " bytes instead of " + std::to_string(size_) +
        and_more(wrong_size_.count));
  return words;
}

}  // namespace slkbench
