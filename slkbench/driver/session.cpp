#include "session.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "thread_census.hpp"

namespace slkbench {

namespace {

constexpr int idle_limit_ms = 100;

// The word of a role that only noticed the other's failure is left out.
failure joined(const failure& receiver_problem, const failure& sender_problem) {
  const auto is_echo = [](const failure& problem) {
    return problem && problem->text.starts_with("the other role");
  };
  // Who echoes can only miss what a saturated sender did not send any more.
  if (sender_problem && sender_problem->kind == failure_kind::saturated)
    return saturated("sender: " + sender_problem->text);
  std::string words;
  if (receiver_problem && !(is_echo(receiver_problem) && sender_problem))
    words = "receiver: " + receiver_problem->text;
  if (sender_problem && !(is_echo(sender_problem) && receiver_problem))
    words += (words.empty() ? "" : "; ") + ("sender: " + sender_problem->text);
  return words.empty() ? receiver_problem : failed(std::move(words));
}

}  // namespace

session::session(workload_spec spec) noexcept : spec_(std::move(spec)) {}

failure session::open() {
  if (failure problem = open_receiver())
    return problem;
  return open_sender();
}

failure session::open_receiver() {
  if (!has(role_kind::receiver))
    return {};
  if (failure problem = make_role(spec_, role_kind::receiver, ground_, receiver_))
    return problem;
  return receiver_->wire().open(spec_.endpoint);
}

failure session::open_sender() {
  if (!has(role_kind::sender))
    return {};
  if (failure problem = make_role(spec_, role_kind::sender, ground_, sender_))
    return problem;
  return sender_->wire().open(spec_.endpoint);
}

option_map session::options() const {
  option_map all;
  auto add = [&all](const std::unique_ptr<role>& from, const char* name) {
    if (!from)
      return;
    for (const auto& [option, value] : from->wire().options())
      all[std::string(name) + "." + option] = value;
  };
  add(sender_, "sender");
  add(receiver_, "receiver");
  return all;
}

std::string session::version() const {
  return (receiver_ ? receiver_ : sender_)->wire().version();
}

failure session::run(session_report& report) {
  failure problem;
  if (spec_.role == role_kind::both) {
    problem = run_both(report);
  } else {
    control_line control{unique_fd(spec_.control_fd)};
    problem =
        sender_ ? sender_->run(control, report.sender) : receiver_->run(control, report.receiver);
  }
  report.max_rss_bytes = max_rss_bytes();
  return problem;
}

failure session::run_both(session_report& report) {
  unique_fd sender_end;
  unique_fd receiver_end;
  if (failure problem = control_line::make_pair(sender_end, receiver_end))
    return problem;
  control_line sender_control{std::move(sender_end)};
  control_line receiver_control{std::move(receiver_end)};
  failure sender_problem;
  failure receiver_problem;
  std::thread receiving(
      [&] { receiver_problem = receiver_->run(receiver_control, report.receiver); });
  std::thread sending([&] { sender_problem = sender_->run(sender_control, report.sender); });
  sending.join();
  receiving.join();
  return joined(receiver_problem, sender_problem);
}

failure session::run_in_turns(std::uint64_t turn, session_report& report) {
  failure receiver_problem;
  // Hands shaken by two threads: each waits for the other's READY.
  std::thread greeting([&] { receiver_problem = receiver_->wire().handshake(); });
  failure sender_problem = sender_->wire().handshake();
  greeting.join();
  if (receiver_problem || sender_problem)
    return joined(receiver_problem, sender_problem);
  const auto total =
      static_cast<std::uint64_t>(spec_.warmup) + 1 + static_cast<std::uint64_t>(spec_.messages);
  stamped_payload payload(spec_.size_bytes);
  stamped_payload buffer(spec_.size_bytes);
  ledger account(spec_.size_bytes, total);
  const std::vector<int> others = other_thread_ids();
  while (account.next() < total) {
    const std::uint64_t begin = account.next();
    const std::uint64_t end = std::min(total, begin + turn);
    if (failure problem = sender_->send_part(payload, begin, end))
      return problem;
    // Else it would be chance how often the receiver finds nothing yet.
    if (spec_.transport != transport_kind::inproc)
      await_idle_threads(others, idle_limit_ms);
    if (failure problem = receiver_->receive_part(account, buffer, end))
      return problem;
  }
  report.max_rss_bytes = max_rss_bytes();
  return account.is_clean() ? failure{} : account_failed(account, total, {});
}

void session::close() {
  if (sender_)
    sender_->wire().close();
  if (receiver_)
    receiver_->wire().close();
  ground_.reset();
}

}  // namespace slkbench
