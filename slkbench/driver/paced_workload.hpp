// The sender's loop of a paced workload: an open loop at a low load, the same for every contender.
//
// Messages go out at a fixed rate, by an absolute schedule, and come back from run_pong. A round
// trip counts from when the message was due, not from when it went, so that a sender that was held
// up cannot hide it. Between two moments the thread blocks in the library's own poll. A sender that
// cannot keep to its schedule is saturated, and the sample has failed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "library_link.hpp"
#include "schedule.hpp"
#include "workload.hpp"

namespace slkbench {

// Whether the sender keeps to its schedule, told by the timed messages. That the machine held it up
// for a moment is no saturation, and shows in the round trips.
class punctuality {
 public:
  explicit punctuality(std::int64_t messages) noexcept : refused_max_(messages / 100) {}

  // A message that is about to be sent, `late_ns` after it was due.
  [[nodiscard]] failure note_late(std::int64_t late_ns) const {
    constexpr std::int64_t late_max_ns = 100'000'000;
    if (late_ns <= late_max_ns)
      return {};
    return failed("saturated: the sender has fallen " + std::to_string(late_ns / 1'000'000) +
                  " ms behind its schedule");
  }
  // A message for which there was no room; the same one is refused until there is some.
  [[nodiscard]] failure note_refused(std::uint64_t number) {
    if (std::exchange(last_refused_, number) == number || ++refused_ <= refused_max_)
      return {};
    return failed("saturated: there was no room for more than 1 % of the messages, " +
                  std::to_string(refused_) + ", when they were due");
  }

 private:
  std::int64_t refused_max_;
  std::int64_t refused_ = 0;
  std::uint64_t last_refused_ = 0;
};

template <class Link>
class paced_sender {
 public:
  paced_sender(Link& link, const workload_spec& spec, role_report& report)
      : link_(link),
        spec_(spec),
        report_(report),
        warmup_(static_cast<std::uint64_t>(spec.warmup)),
        total_(warmup_ + 1 + static_cast<std::uint64_t>(spec.messages)),
        plan_(spec.offered_msgs_per_s),
        punctuality_(spec.messages),
        payload_(spec.size_bytes),
        buffer_(spec.size_bytes),
        account_(spec.size_bytes, total_),
        round_trips_ns_(static_cast<std::size_t>(spec.messages)) {}

  [[nodiscard]] failure run() {
    constexpr std::int64_t lead_ns = 1'000'000;
    if (failure problem = timer_.open())
      return problem;
    plan_.begin_at(now_ns() + lead_ns);
    while (account_.next() < total_) {
      bool is_full = false;
      if (failure problem = send_due(is_full))
        return problem;
      if (failure problem = take_replies())
        return problem;
      if (account_.next() >= total_)
        break;
      if (sent_ < total_ && !is_full && plan_.due_ns(sent_) <= now_ns())
        continue;
      timer_.arm(sent_ < total_ && !is_full ? plan_.due_ns(sent_) : 0);
      if (!link_.wait_for_reply(timer_.fd(), is_full))
        return account_failed(account_, total_, link_.error_text());
    }
    report_.elapsed_ns = now_ns() - plan_.due_ns(warmup_ + 1);
    meter_.stop(report_);
    if (!account_.is_clean())
      return account_failed(account_, total_, {});
    std::sort(round_trips_ns_.begin(), round_trips_ns_.end());
    report_.round_trips_ns = std::move(round_trips_ns_);
    return {};
  }

 private:
  failure send_due(bool& is_full) {
    while (sent_ < total_) {
      const std::int64_t late_ns = now_ns() - plan_.due_ns(sent_);
      if (late_ns < 0)
        return {};
      if (sent_ == warmup_ + 1)
        meter_.start();
      if (sent_ > warmup_) {
        if (failure problem = punctuality_.note_late(late_ns))
          return problem;
      }
      const send_outcome outcome = link_.send_now(payload_.stamped(sent_), payload_.size());
      if (outcome == send_outcome::failed) [[unlikely]]
        return failed("sent " + std::to_string(sent_) + " messages, then " + link_.error_text());
      is_full = outcome == send_outcome::no_room;
      if (is_full)
        return sent_ > warmup_ ? punctuality_.note_refused(sent_) : failure{};
      ++sent_;
    }
    return {};
  }

  failure take_replies() {
    for (;;) {
      const std::ptrdiff_t size = link_.receive_now(buffer_.data(), spec_.size_bytes);
      if (size < 0) {
        return link_.is_empty() ? failure{} : account_failed(account_, total_, link_.error_text());
      }
      const std::uint64_t before = account_.next();
      account_.take(buffer_.data(), size);
      const std::uint64_t number = account_.next() - 1;
      if (account_.next() > before && warmup_ < number && number < total_)
        round_trips_ns_[number - warmup_ - 1] = now_ns() - plan_.due_ns(number);
    }
  }

  Link& link_;
  const workload_spec& spec_;
  role_report& report_;
  const std::uint64_t warmup_;
  const std::uint64_t total_;
  schedule plan_;
  due_timer timer_;
  punctuality punctuality_;
  stamped_payload payload_;
  stamped_payload buffer_;
  ledger account_;
  std::vector<std::int64_t> round_trips_ns_;
  usage_meter meter_;
  std::uint64_t sent_ = 0;
};

template <class Link>
[[nodiscard]] failure run_paced(Link& link, const workload_spec& spec, control_line& control,
                                role_report& report) {
  if (failure problem = control.await(signal::in_place, spec.limit_ms))
    return problem;
  if (failure problem = paced_sender<Link>(link, spec, report).run())
    return problem;
  return control.await(signal::all_here, spec.limit_ms);
}

}  // namespace slkbench
