// The sender's loop of a paced workload: an open loop at a low load, the same for every contender.
//
// Messages go out at a fixed rate, by an absolute schedule, and come back from run_pong. A round
// trip counts from when the message was due, not from when it went, so that a sender that was held
// up cannot hide it; how late the messages went is recorded as well. Between two moments the thread
// blocks in the library's own poll. A contender that cannot keep up is saturated, and then there
// are no percentiles: they would tell how long the sample was.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "library_link.hpp"
#include "saturation.hpp"
#include "schedule.hpp"
#include "workload.hpp"

namespace slkbench {

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
        watch_(spec.messages, spec.offered_msgs_per_s),
        payload_(spec.size_bytes),
        buffer_(spec.size_bytes),
        account_(spec.size_bytes, total_) {}

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
    if (failure problem = watch_.outcome(report_.elapsed_ns))
      return problem;
    report_.paced = std::move(record_);
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
        if (failure problem = note_late(late_ns))
          return problem;
      }
      const send_outcome outcome = link_.send_now(payload_.stamped(sent_), payload_.size());
      if (outcome == send_outcome::failed) [[unlikely]]
        return failed("sent " + std::to_string(sent_) + " messages, then " + link_.error_text());
      is_full = outcome == send_outcome::no_room;
      if (is_full)
        return {};
      ++sent_;
    }
    return {};
  }

  // A timed message that is tried again, since there was no room for it, counts once.
  failure note_late(std::int64_t late_ns) {
    if (last_tried_ != sent_) {
      last_tried_ = sent_;
      record_.send_lag.record(late_ns);
    }
    return watch_.note_late(sent_ - warmup_ - 1, late_ns);
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
      if (account_.next() > before && warmup_ < number && number < total_) {
        const std::int64_t round_trip_ns = now_ns() - plan_.due_ns(number);
        record_.round_trips.record(round_trip_ns);
        watch_.note_round_trip(number - warmup_ - 1, round_trip_ns);
      }
    }
  }

  Link& link_;
  const workload_spec& spec_;
  role_report& report_;
  const std::uint64_t warmup_;
  const std::uint64_t total_;
  schedule plan_;
  due_timer timer_;
  saturation_watch watch_;
  stamped_payload payload_;
  stamped_payload buffer_;
  ledger account_;
  paced_record record_;
  usage_meter meter_;
  std::uint64_t sent_ = 0;
  std::uint64_t last_tried_ = 0;
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
