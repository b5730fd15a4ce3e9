// The measuring loops, one per role and metric, the same for every contender.
//
// Throughput: warm-up messages, a pause until all of them have arrived, one message that starts
// the clock when it arrives, then the timed ones. Round trips: the same, one at a time, timed by
// the sender. Messages are numbered from 0 over all of these; every one is accounted for.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "clock.hpp"
#include "control_line.hpp"
#include "core_probe.hpp"
#include "histogram.hpp"
#include "ledger.hpp"
#include "slices.hpp"
#include "usage.hpp"
#include "workload_spec.hpp"

namespace slkbench {

// What the sender of a paced workload counted, in ns.
struct paced_record {
  histogram round_trips;  // each from when its message was due
  histogram send_lag;     // from when a message was due to when the sender first tried to send it
};

// Hears when the timed messages begin and end: in the thread that does it, outside its clock.
class region_watcher {
 public:
  virtual ~region_watcher() = default;
  virtual void begin() = 0;
  virtual void end() = 0;
};

struct role_report {
  region_watcher* watcher = nullptr;  // null: nobody listens
  int thread_id = -1;                 // as the kernel numbers threads
  std::int64_t elapsed_ns = -1;       // only of the role that holds the clock
  std::int64_t begin_ns = -1;         // when the role's timed part began and ended, by now_ns()
  std::int64_t end_ns = -1;
  usage of_thread;  // while the timed messages passed
  usage of_process;
  std::vector<std::int64_t> round_trips_ns;  // sorted
  std::optional<paced_record> paced;         // instead of these
  double slice_sd = -1;                      // only of a receiver with one sender; see slices
  double core_probe_ns = -1;                 // of one sender or receiver; see core_probe
  double slowest_sender_share = -1;          // only of a receiver that has several senders
  std::int64_t idle_peers_bytes = -1;        // resident memory that idle peers brought, if any
};

// Takes both usages at once; what is between two of these is a role's timed part.
class usage_meter {
 public:
  void start() noexcept {
    process_ = process_usage();
    thread_ = thread_usage();
  }
  void stop(role_report& report) noexcept {
    report.of_thread = thread_usage() - thread_;
    report.of_process = process_usage() - process_;
  }

 private:
  usage thread_;
  usage process_;
};

// A deviation is one failure, a stop in the middle another: both are said.
template <class Account>
failure account_failed(const Account& account, std::uint64_t total, const std::string& stopped_by) {
  std::string words = account.describe();
  if (!stopped_by.empty())
    words +=
        (words.empty() ? "" : "; ") + ("received " + std::to_string(account.received()) + " of " +
                                       std::to_string(total) + " messages, then " + stopped_by);
  return failed(std::move(words));
}

template <class Link>
[[nodiscard]] failure send_range(Link& link, stamped_payload& payload, std::uint64_t begin,
                                 std::uint64_t end) {
  for (std::uint64_t number = begin; number < end; ++number) {
    if (!link.send(payload.stamped(number), payload.size())) [[unlikely]]
      return failed("sent " + std::to_string(number) + " messages, then " + link.error_text());
  }
  link.flush();
  return {};
}

// The timed messages, with looks at the core amid them.
template <class Link>
[[nodiscard]] failure send_timed(Link& link, stamped_payload& payload, std::uint64_t begin,
                                 std::uint64_t end, core_probe& core) {
  std::uint64_t number = begin;
  for (std::uint64_t look = 1; look <= core_probe::looks; ++look) {
    for (const std::uint64_t stop = core_probe::end_of(look, begin, end); number < stop; ++number) {
      if (!link.send(payload.stamped(number), payload.size())) [[unlikely]]
        return failed("sent " + std::to_string(number) + " messages, then " + link.error_text());
    }
    core.look();
  }
  link.flush();
  return {};
}

template <class Link>
[[nodiscard]] failure run_source(Link& link, const workload_spec& spec, control_line& control,
                                 role_report& report) {
  stamped_payload payload(spec.size_bytes);
  const auto warmup = static_cast<std::uint64_t>(spec.warmup);
  const auto total = warmup + 1 + static_cast<std::uint64_t>(spec.messages);
  if (failure problem = control.await(signal::in_place, spec.limit_ms))
    return problem;
  if (failure problem = send_range(link, payload, 0, warmup))
    return problem;
  if (failure problem = control.await(signal::warmed_up, spec.limit_ms))
    return problem;
  if (report.watcher != nullptr)
    report.watcher->begin();
  usage_meter meter;
  meter.start();
  core_probe core;
  report.begin_ns = now_ns();
  if (failure problem = send_timed(link, payload, warmup, total, core))
    return problem;
  report.end_ns = now_ns();
  if (spec.receivers == 1)  // elsewhere the other side does not look
    report.core_probe_ns = core.mean_ns();
  if (failure problem = control.await(signal::all_here, spec.limit_ms))
    return problem;
  meter.stop(report);
  if (report.watcher != nullptr)
    report.watcher->end();
  return {};
}

constexpr std::uint64_t looks_per_slice = core_probe::looks / slices::count;

template <class Link>
[[nodiscard]] failure run_sink(Link& link, const workload_spec& spec, control_line& control,
                               role_report& report) {
  stamped_payload buffer(spec.size_bytes);
  std::byte* const data = buffer.data();
  const std::size_t capacity = spec.size_bytes;
  const auto warmup = static_cast<std::uint64_t>(spec.warmup);
  const auto total = warmup + 1 + static_cast<std::uint64_t>(spec.messages);
  ledger account(spec.size_bytes, total);
  control.tell(signal::in_place);
  while (account.next() < warmup) {
    const std::ptrdiff_t size = link.receive(data, capacity);
    if (size < 0) {
      if (account.next() == 0)
        return account_failed(account, total, link.error_text());
      break;  // the last ones may be lost: what follows shows how many
    }
    account.take_whole(data, size);
  }
  control.tell(signal::warmed_up);
  usage_meter meter;
  std::int64_t begin_ns = 0;
  while (account.next() <= warmup) {
    const std::ptrdiff_t size = link.receive(data, capacity);
    if (size < 0)
      return account_failed(account, total, link.error_text());
    account.take(data, size);
  }
  if (report.watcher != nullptr)
    report.watcher->begin();
  meter.start();
  begin_ns = now_ns();
  slices parts(begin_ns);
  core_probe core;
  for (std::uint64_t look = 1; look <= core_probe::looks; ++look) {
    const std::uint64_t end = core_probe::end_of(look, warmup + 1, total);
    while (account.next() < end) {
      const std::ptrdiff_t size = link.receive(data, capacity);
      if (size < 0) [[unlikely]]
        return account_failed(account, total, link.error_text());
      account.take(data, size);
    }
    core.look();
    if (look % looks_per_slice == 0)
      parts.ended(now_ns());
  }
  report.begin_ns = begin_ns;
  report.end_ns = parts.end_ns();
  report.slice_sd = parts.sd(total - warmup - 1);
  report.core_probe_ns = core.mean_ns();
  report.elapsed_ns = report.end_ns - begin_ns;
  meter.stop(report);
  if (report.watcher != nullptr)
    report.watcher->end();
  const std::ptrdiff_t surplus = link.receive_now(data, capacity);
  if (surplus >= 0)
    account.take(data, surplus);
  if (!account.is_clean())
    return account_failed(account, total, {});
  control.tell(signal::all_here);
  return {};
}

// Behind which round trips both sides look at their cores: evenly, behind the last one too, and at
// most once behind each.
class look_plan {
 public:
  // Numbered from 0, the timed ones from first_timed + 1 to total - 1.
  look_plan(std::uint64_t first_timed, std::uint64_t total) noexcept
      : begin_(first_timed + 1), end_(total), at_(core_probe::end_of(1, begin_, end_)) {}

  // To be asked for each round trip.
  [[nodiscard]] bool is_due(std::uint64_t number) noexcept {
    if (number + 1 < at_ || taken_ == core_probe::looks) [[likely]]
      return false;
    if (number < begin_)
      return false;
    // Fewer round trips than looks: not several behind one.
    while (taken_ < core_probe::looks && at_ <= number + 1)
      at_ = core_probe::end_of(++taken_ + 1, begin_, end_);
    return true;
  }

 private:
  std::uint64_t begin_;
  std::uint64_t end_;
  std::uint64_t taken_ = 0;
  std::uint64_t at_;  // behind the one in front of this
};

template <class Link>
[[nodiscard]] failure run_ping(Link& link, const workload_spec& spec, control_line& control,
                               role_report& report) {
  stamped_payload payload(spec.size_bytes);
  stamped_payload buffer(spec.size_bytes);
  const auto warmup = static_cast<std::uint64_t>(spec.warmup);
  const auto total = warmup + 1 + static_cast<std::uint64_t>(spec.messages);
  ledger account(spec.size_bytes, total);
  std::vector<std::int64_t> round_trips_ns(static_cast<std::size_t>(spec.messages));
  if (failure problem = control.await(signal::in_place, spec.limit_ms))
    return problem;
  usage_meter meter;
  core_probe core;
  look_plan looks(warmup, total);
  std::int64_t begin_ns = 0;
  std::int64_t last_ns = 0;
  std::int64_t looking_ns = 0;
  for (std::uint64_t number = 0; number < total; ++number) {
    if (!link.send(payload.stamped(number), payload.size())) [[unlikely]]
      return failed("sent " + std::to_string(number) + " messages, then " + link.error_text());
    link.flush();
    const std::ptrdiff_t size = link.receive(buffer.data(), spec.size_bytes);
    if (size < 0) [[unlikely]]
      return account_failed(account, total, link.error_text());
    account.take(buffer.data(), size);
    if (number <= warmup) {
      if (number == warmup) {
        meter.start();
        begin_ns = last_ns = now_ns();
      }
      continue;
    }
    const std::int64_t here_ns = now_ns();
    round_trips_ns[number - warmup - 1] = here_ns - last_ns;
    last_ns = here_ns;
    if (looks.is_due(number)) {  // between two round trips, so in none
      core.look();
      last_ns = now_ns();
      looking_ns += last_ns - here_ns;
    }
  }
  report.elapsed_ns = last_ns - begin_ns - looking_ns;
  report.core_probe_ns = core.mean_ns();
  meter.stop(report);
  if (!account.is_clean())
    return account_failed(account, total, {});
  std::sort(round_trips_ns.begin(), round_trips_ns.end());
  report.round_trips_ns = std::move(round_trips_ns);
  return control.await(signal::all_here, spec.limit_ms);
}

template <class Link>
[[nodiscard]] failure run_pong(Link& link, const workload_spec& spec, control_line& control,
                               role_report& report) {
  stamped_payload buffer(spec.size_bytes);
  std::byte* const data = buffer.data();
  const auto warmup = static_cast<std::uint64_t>(spec.warmup);
  const auto total = warmup + 1 + static_cast<std::uint64_t>(spec.messages);
  ledger account(spec.size_bytes, total);
  control.tell(signal::in_place);
  usage_meter meter;
  core_probe core;
  look_plan looks(warmup, total);
  // At a given rate the next message may be due already, and would wait for a look.
  const bool may_look = spec.metric == metric_kind::round_trip;
  meter.start();
  while (account.next() < total) {
    const std::ptrdiff_t size = link.receive(data, spec.size_bytes);
    if (size < 0) [[unlikely]]
      return account_failed(account, total, link.error_text());
    account.take(data, size);
    const std::size_t echoed = std::min(static_cast<std::size_t>(size), spec.size_bytes);
    if (!link.send(data, echoed)) [[unlikely]]
      return failed("answered " + std::to_string(account.next()) + " messages, then " +
                    link.error_text());
    link.flush();
    if (account.next() == warmup + 1)
      meter.start();
    if (may_look && looks.is_due(account.next() - 1))  // while the other side does the same
      core.look();
  }
  meter.stop(report);
  report.core_probe_ns = core.mean_ns();
  if (!account.is_clean())
    return account_failed(account, total, {});
  control.tell(signal::all_here);
  return {};
}

}  // namespace slkbench
