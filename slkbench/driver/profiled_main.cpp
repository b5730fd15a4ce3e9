// A measured process for profilers: the workloads of the module _driver without the Python around
// them, whose start would take minutes under some tools.
//
//   profiled WORKLOAD TURN KEY=VALUE...
//
// WORKLOAD is `threads` (one thread for each role that is here, as in a sample) or `lockstep` (one
// thread drives both roles, TURN messages at a time). Tells `ready`, then `result`, or `failed` or
// `unsupported`, each as a line of JSON on stdout.
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "operation_timer.hpp"
#include "session.hpp"
#include "socket_facts.hpp"
#include "spec_text.hpp"
#include "thread_census.hpp"

namespace {

using namespace slkbench;

constexpr int exit_misused = 2;
constexpr int exit_failed = 4;

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\')
      result += '\\';
    result += static_cast<unsigned char>(letter) < ' ' ? ' ' : letter;
  }
  return result + '"';
}

std::string member(std::string_view name, std::int64_t value) {
  return quoted(name) + ":" + std::to_string(value);
}

void tell(const std::string& event, const std::string& members) {
  const std::string line = "{\"event\":" + quoted(event) + "," + members + "}\n";
  (void)!write(STDOUT_FILENO, line.data(), line.size());
}

std::string of_usage(const usage& used) {
  return "{" + member("user_ns", used.user_ns) + "," + member("system_ns", used.system_ns) + "," +
         member("voluntary_switches", used.voluntary_switches) + "," +
         member("involuntary_switches", used.involuntary_switches) + "}";
}

std::string of_role(const role_report& report) {
  return "{" + member("elapsed_ns", report.elapsed_ns) + "," + member("begin_ns", report.begin_ns) +
         "," + member("end_ns", report.end_ns) + ",\"thread\":" + of_usage(report.of_thread) +
         ",\"process\":" + of_usage(report.of_process) + "}";
}

// What each thread spends while the timed messages pass.
class time_watcher final : public region_watcher {
 public:
  void begin() override { before_ = read_thread_times(); }
  void end() override { after_ = read_thread_times(); }

  // Zero for a thread that was not there at both ends.
  [[nodiscard]] thread_time spent(int id) const {
    const auto is_it = [id](const thread_time& each) { return each.id == id; };
    const auto before = std::find_if(before_.begin(), before_.end(), is_it);
    const auto after = std::find_if(after_.begin(), after_.end(), is_it);
    if (before == before_.end() || after == after_.end())
      return {id, 0, 0};
    return {id, after->on_cpu_ns - before->on_cpu_ns, after->core_wait_ns - before->core_wait_ns};
  }

 private:
  std::vector<thread_time> before_;
  std::vector<thread_time> after_;
};

std::string of_threads(const std::vector<known_thread>& threads, const time_watcher& watcher) {
  std::string list;
  for (const known_thread& thread : threads) {
    const thread_time spent = watcher.spent(thread.id);
    list += (list.empty() ? "" : ",") + ("{" + member("id", thread.id)) +
            ",\"part\":" + quoted(thread.part) + ",\"name\":" + quoted(thread.name) + "," +
            member("on_cpu_ns", spent.on_cpu_ns) + "," +
            member("core_wait_ns", spent.core_wait_ns) + "}";
  }
  return "[" + list + "]";
}

std::string of_sockets() {
  std::string list;
  for (const auto& facts : read_socket_facts()) {
    std::string members;
    for (const auto& [name, value] : facts)
      members += (members.empty() ? "" : ",") + member(name, value);
    list += (list.empty() ? "{" : ",{") + members + "}";
  }
  return "[" + list + "]";
}

// Each role's are those of its own timed part: over kernel buffers a sender may be done before the
// receiver's begins. A role that is in another process, or is not timed so, has none.
std::string of_operations(const session_report& report) {
  std::string list;
  const auto add = [&list](role_kind role, const char* name, const role_report& part) {
    for (const operation_times& each : operation_timer::between(role, part.begin_ns, part.end_ns))
      list += (list.empty() ? "{" : ",{") + ("\"role\":" + quoted(name)) +
              ",\"what\":" + quoted(each.what) + "," + member("count", each.count) +
              ",\"mean_ns\":" + std::to_string(each.mean_ns) +
              ",\"p50_ns\":" + std::to_string(each.p50_ns) +
              ",\"p99_ns\":" + std::to_string(each.p99_ns) +
              ",\"max_ns\":" + std::to_string(each.max_ns) + "}";
  };
  add(role_kind::sender, "sender", report.sender);
  add(role_kind::receiver, "receiver", report.receiver);
  const timer_facts timer = operation_timer::facts();
  return "[" + list + "],\"timer\":{\"name\":" + quoted(timer.name) +
         ",\"cost_ns\":" + std::to_string(timer.cost_ns) + "}";
}

// Of no use after that: a library that misbehaved may never come back from closing.
[[noreturn]] void end(const failure_text& problem) {
  tell(problem.kind == failure_kind::unsupported ? "unsupported" : "failed",
       "\"reason\":" + quoted(problem.text));
  _exit(exit_failed);
}

void end_if(const failure& problem) {
  if (problem)
    end(*problem);
}

// Threads that take turns anyway do so in the same order more often on one CPU. Those of the
// library inherit it.
void stay_on_this_cpu() {
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<std::size_t>(std::max(0, sched_getcpu())), &here);
  (void)sched_setaffinity(0, sizeof here, &here);
}

void measure(session& work, bool in_lockstep, std::uint64_t turn) {
  const bool is_shared = work.spec().transport == transport_kind::inproc;
  thread_census census;
  census.take(in_lockstep ? "application" : "main");
  end_if(work.open_receiver());
  census.take(is_shared ? "I/O" : "receiver I/O");
  end_if(work.open_sender());
  census.take(is_shared ? "I/O" : "sender I/O");
  tell("ready", "\"endpoint\":" + quoted(work.endpoint()) +
                    ",\"library_version\":" + quoted(work.version()));
  session_report report;
  time_watcher watcher;
  // In one process the receiver, which has the clock, speaks for both.
  (work.spec().role == role_kind::sender ? report.sender : report.receiver).watcher = &watcher;
  end_if(in_lockstep ? work.run_in_turns(turn, report) : work.run(report));
  census.add(report.sender.thread_id, "sender");
  census.add(report.receiver.thread_id, "receiver");
  census.take("I/O");  // made late
  std::string members =
      "\"threads\":" + of_threads(census.threads(), watcher) +
      ",\"sender\":" + of_role(report.sender) + ",\"receiver\":" + of_role(report.receiver) +
      ",\"sockets\":" + of_sockets() + "," + member("max_rss_bytes", report.max_rss_bytes);
  if (work.spec().time_one_in > 0)
    members += ",\"operations\":" + of_operations(report);
  tell("result", members);
  work.close();
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string_view> given(words + 1, words + count);
  std::uint64_t turn = 0;
  if (given.size() < 2 || (given[0] != "threads" && given[0] != "lockstep") ||
      std::from_chars(given[1].data(), given[1].data() + given[1].size(), turn).ec != std::errc{} ||
      turn == 0) {
    std::fputs("usage: profiled threads|lockstep TURN KEY=VALUE...\n", stderr);
    return exit_misused;
  }
  workload_spec spec;
  if (const failure problem = read_spec({given.begin() + 2, given.end()}, spec)) {
    std::fprintf(stderr, "profiled: %s\n", problem->text.c_str());
    return exit_misused;
  }
  const bool in_lockstep = given[0] == "lockstep";
  if (in_lockstep && (spec.role != role_kind::both || spec.metric != metric_kind::throughput)) {
    std::fputs("profiled: lockstep has both roles, and no round trips\n", stderr);
    return exit_misused;
  }
  // Whoever started this may be gone, and a tool in between not care.
  alarm(static_cast<unsigned>(spec.limit_ms / 1000 + 1));
  if (in_lockstep)
    stay_on_this_cpu();
  session work(std::move(spec));
  measure(work, in_lockstep, turn);
  return EXIT_SUCCESS;
}
