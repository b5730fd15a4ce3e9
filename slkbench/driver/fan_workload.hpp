// The loops of throughput where a thread has several sockets, the same for every contender.
//
// Several senders: one thread sends from each in turn, passes over those that have no room, and
// waits only when none has any. Several receivers: one thread drains them in turn, and waits only
// when none has a message. The stages are those of workload.hpp; the first message after the
// warm-up, whoever's it is, starts the clock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "fan_link.hpp"
#include "workload.hpp"

namespace slkbench {

// Messages that each of several senders sends.
struct shares {
  std::vector<std::uint64_t> warmup;
  std::vector<std::uint64_t> timed;  // with the one that starts the clock
};

inline shares shares_of(const workload_spec& spec) {
  const std::uint64_t count = spec.senders;
  const auto warmup = static_cast<std::uint64_t>(spec.warmup);
  const auto timed = static_cast<std::uint64_t>(spec.messages) + 1;
  shares all;
  for (std::uint64_t sender = 0; sender < count; ++sender) {
    all.warmup.push_back(warmup / count + (sender < warmup % count ? 1 : 0));
    all.timed.push_back(timed / count + (sender < timed % count ? 1 : 0));
  }
  return all;
}

// Numbers that the senders have still to send.
class send_turns {
 public:
  send_turns(std::size_t senders, std::size_t size_bytes)
      : next_(senders), end_(senders), payloads_(senders, stamped_payload(size_bytes, senders)) {
    for (std::size_t sender = 0; sender < senders; ++sender)
      next_[sender] = end_[sender] = stamp::first_number_of(sender);
  }

  void extend(const std::vector<std::uint64_t>& counts) {
    for (std::size_t sender = 0; sender < end_.size(); ++sender)
      end_[sender] += counts[sender];
  }

  // Sends everything that is left.
  template <class Link>
  [[nodiscard]] failure send_all(Link& link) {
    const auto has_more = [this](std::size_t sender) { return next_[sender] != end_[sender]; };
    std::uint64_t left = 0;
    for (std::size_t sender = 0; sender < end_.size(); ++sender)
      left += end_[sender] - next_[sender];
    while (left > 0) {
      bool any = false;
      for (std::size_t sender = 0; sender < end_.size(); ++sender) {
        if (!has_more(sender))
          continue;
        stamped_payload& payload = payloads_[sender];
        const send_outcome outcome =
            link.send_now(sender, payload.stamped(next_[sender]), payload.size());
        if (outcome == send_outcome::sent) [[likely]] {
          ++next_[sender];
          --left;
          any = true;
        } else if (outcome == send_outcome::failed) {
          return stopped(sender, link.error_text());
        }
      }
      if (!any && !link.wait_for_room(has_more))
        return stopped(0, link.error_text());
    }
    return {};
  }

 private:
  [[nodiscard]] failure stopped(std::size_t sender, const std::string& reason) const {
    return failed("sender " + std::to_string(sender) + " sent " +
                  std::to_string(next_[sender] - stamp::first_number_of(sender)) +
                  " messages, then " + reason);
  }

  std::vector<std::uint64_t> next_;
  std::vector<std::uint64_t> end_;
  std::vector<stamped_payload> payloads_;
};

template <class Link>
[[nodiscard]] failure run_fan_in_source(Link& link, const workload_spec& spec,
                                        control_line& control, role_report& report) {
  const shares counts = shares_of(spec);
  send_turns turns(spec.senders, spec.size_bytes);
  if (failure problem = control.await(signal::in_place, spec.limit_ms))
    return problem;
  turns.extend(counts.warmup);
  if (failure problem = turns.send_all(link))
    return problem;
  if (failure problem = control.await(signal::warmed_up, spec.limit_ms))
    return problem;
  usage_meter meter;
  meter.start();
  turns.extend(counts.timed);
  if (failure problem = turns.send_all(link))
    return problem;
  if (failure problem = control.await(signal::all_here, spec.limit_ms))
    return problem;
  meter.stop(report);
  return {};
}

// How much of its share of what came after the warm-up the slowest sender has had through.
inline double slowest_share(const sender_accounts& account, const shares& counts) {
  std::uint64_t least = ~std::uint64_t{0};
  std::uint64_t sum = 0;
  for (std::size_t sender = 0; sender < counts.warmup.size(); ++sender) {
    const std::uint64_t progress = account.progress_of(sender);
    const std::uint64_t came = progress - std::min(progress, counts.warmup[sender]);
    least = std::min(least, came);
    sum += came;
  }
  if (sum == 0)
    return 0.0;
  return static_cast<double>(least) * static_cast<double>(counts.warmup.size()) /
         static_cast<double>(sum);
}

template <class Link>
[[nodiscard]] failure run_fan_in_sink(Link& link, const workload_spec& spec, control_line& control,
                                      role_report& report) {
  stamped_payload buffer(spec.size_bytes);
  std::byte* const data = buffer.data();
  const shares counts = shares_of(spec);
  std::vector<std::uint64_t> totals(spec.senders);
  std::transform(counts.warmup.begin(), counts.warmup.end(), counts.timed.begin(), totals.begin(),
                 std::plus<>());
  const auto warmup = static_cast<std::uint64_t>(spec.warmup);
  const std::uint64_t total = std::reduce(totals.begin(), totals.end());
  sender_accounts account(spec.size_bytes, totals);
  std::size_t peer = unknown_peer;
  // False if nothing came any more.
  const auto take_until = [&](std::uint64_t progress) {
    while (account.progress() < progress) {
      const std::ptrdiff_t size = link.receive(data, spec.size_bytes, peer);
      if (size < 0) [[unlikely]]
        return false;
      account.take(peer, data, size);
    }
    return true;
  };
  control.tell(signal::in_place);
  while (account.progress() < warmup) {
    const std::ptrdiff_t size = link.receive(data, spec.size_bytes, peer);
    if (size < 0) {
      if (account.progress() == 0)
        return account_failed(account, total, link.error_text());
      break;  // the last ones may be lost: what follows shows how many
    }
    account.take_whole(peer, data, size);
  }
  control.tell(signal::warmed_up);
  if (!take_until(warmup + 1))
    return account_failed(account, total, link.error_text());
  usage_meter meter;
  meter.start();
  const std::int64_t begin_ns = now_ns();
  if (!take_until(warmup + 1 + static_cast<std::uint64_t>(spec.messages) / 2))
    return account_failed(account, total, link.error_text());
  report.slowest_sender_share = slowest_share(account, counts);
  if (!take_until(total))
    return account_failed(account, total, link.error_text());
  report.elapsed_ns = now_ns() - begin_ns;
  meter.stop(report);
  const std::ptrdiff_t surplus = link.receive_now(0, data, spec.size_bytes);
  if (surplus >= 0)
    account.take(unknown_peer, data, surplus);
  if (!account.is_clean())
    return account_failed(account, total, {});
  control.tell(signal::all_here);
  return {};
}

// Drains the ends in turn, some messages of each at a time.
template <class Link, class Take>
[[nodiscard]] failure drain_until(Link& link, receiver_accounts& account, std::uint64_t progress,
                                  std::size_t capacity, std::byte* data, Take take) {
  constexpr int burst = 64;
  bool is_polled = false;
  while (account.progress() < progress) {
    bool any = false;
    for (std::size_t end = 0; end < link.ends() && account.progress() < progress; ++end) {
      if (is_polled && !link.has_message(end))
        continue;
      for (int number = 0; number < burst && account.progress() < progress; ++number) {
        const std::ptrdiff_t size = link.receive_now(end, data, capacity);
        if (size < 0) {
          if (!link.is_empty())
            return failed(link.error_text());
          break;
        }
        take(end, data, size);
        any = true;
      }
    }
    is_polled = false;
    if (any)
      continue;
    if (!link.wait_for_message())
      return failed(link.error_text());
    is_polled = true;
  }
  return {};
}

template <class Link>
[[nodiscard]] failure run_fan_out_sink(Link& link, const workload_spec& spec, control_line& control,
                                       role_report& report) {
  stamped_payload buffer(spec.size_bytes);
  std::byte* const data = buffer.data();
  const auto warmup = static_cast<std::uint64_t>(spec.warmup);
  const auto total = warmup + 1 + static_cast<std::uint64_t>(spec.messages);
  receiver_accounts account(spec.size_bytes, total, spec.receivers, Link::is_dealt);
  const auto take = [&account](std::size_t end, const std::byte* message, std::ptrdiff_t size) {
    account.take(end, message, size);
  };
  const auto take_whole = [&account](std::size_t end, const std::byte* message,
                                     std::ptrdiff_t size) {
    account.take_whole(end, message, size);
  };
  control.tell(signal::in_place);
  if (failure problem = drain_until(link, account, warmup, spec.size_bytes, data, take_whole)) {
    if (account.progress() == 0)
      return account_failed(account, total, problem->text);
    link.forget_stall();  // the last ones may be lost: what follows shows how many
  }
  control.tell(signal::warmed_up);
  if (failure problem = drain_until(link, account, warmup + 1, spec.size_bytes, data, take))
    return account_failed(account, total, problem->text);
  usage_meter meter;
  meter.start();
  const std::int64_t begin_ns = now_ns();
  if (failure problem = drain_until(link, account, total, spec.size_bytes, data, take))
    return account_failed(account, total, problem->text);
  report.elapsed_ns = now_ns() - begin_ns;
  meter.stop(report);
  for (std::size_t end = 0; end < link.ends(); ++end) {
    const std::ptrdiff_t surplus = link.receive_now(end, data, spec.size_bytes);
    if (surplus >= 0)
      account.take(end, data, surplus);
  }
  if (!account.is_clean())
    return account_failed(account, total, {});
  control.tell(signal::all_here);
  return {};
}

}  // namespace slkbench
