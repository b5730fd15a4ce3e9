#include "operation_timer.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <numeric>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "clock.hpp"

namespace slkbench {
namespace {

// Whether the time stamp counter runs at one rate on all cores, whatever they are doing.
bool has_invariant_tsc() {
#if defined(__x86_64__)
  std::FILE* const file = std::fopen("/proc/cpuinfo", "re");
  if (file == nullptr)
    return false;
  char line[8192];
  bool is_invariant = false;
  while (!is_invariant && std::fgets(line, sizeof line, file) != nullptr)
    is_invariant = std::strstr(line, " constant_tsc") != nullptr &&
                   std::strstr(line, " nonstop_tsc") != nullptr;
  std::fclose(file);
  return is_invariant;
#else
  return false;
#endif
}

enum class operation : unsigned char {
  send_id,
  send_message,
  sending,
  recv_id,
  recv_message,
  receiving
};

struct operation_name {
  role_kind role;
  const char* what;
};

constexpr std::array<operation_name, 6> names{{
    {role_kind::sender, "send routing id"},
    {role_kind::sender, "send message"},
    {role_kind::sender, "total iteration"},
    {role_kind::receiver, "recv routing id"},
    {role_kind::receiver, "recv message"},
    {role_kind::receiver, "total iteration"},
}};

constexpr const operation_name& name_of(operation what) noexcept {
  return names[static_cast<std::size_t>(what)];
}

struct record {
  operation what;
  std::int64_t begin_ticks;
  std::int64_t ticks;
};

struct recorder {
  std::uint64_t chance = 0;
  int frame = 0;  // of the message that is timed
  bool is_iteration_open = false;
  operation iteration = operation::sending;
  std::int64_t begin_ticks = 0;  // of the iteration
  std::vector<record> records;   // never grows
};

struct timing {
  operation_timer::send_function send = nullptr;
  operation_timer::recv_function recv = nullptr;
  bool uses_tsc = false;
  int frames = 1;
  std::uint32_t one_in = 1;  // 0: none is timed
  std::size_t records_max = 0;
  std::int64_t epoch_ticks = 0;  // the same moment by both clocks
  std::int64_t epoch_ns = 0;
  double cost_ticks = 0;
  std::mutex mutex;
  std::vector<std::unique_ptr<recorder>> recorders;  // guarded by mutex
};

// Where every message is timed, what timing costs is the question: to write new memory all the time
// is no part of that, so only so many are kept.
constexpr std::size_t every_message_records = 100'000;

timing state;
thread_local recorder* own = nullptr;

std::int64_t ticks() noexcept {
#if defined(__x86_64__)
  if (state.uses_tsc) {
    _mm_lfence();  // not before what was to be timed is done
    return static_cast<std::int64_t>(__rdtsc());
  }
#endif
  return now_ns();
}

double cost_of_ticks() {
  constexpr int looks = 10'001;
  std::vector<std::int64_t> costs(looks);
  for (std::int64_t& cost : costs) {
    const std::int64_t begin = ticks();
    cost = ticks() - begin;
  }
  // The mean of the middle half: a median would be a multiple of the counter's step.
  std::sort(costs.begin(), costs.end());
  const auto first = costs.begin() + looks / 4;
  const auto last = costs.begin() + looks * 3 / 4;
  return std::accumulate(first, last, 0.0) / static_cast<double>(last - first);
}

// Between half of the mean and one and a half.
std::uint32_t next_gap(recorder& mine) noexcept {
  mine.chance = mine.chance * 6364136223846793005U + 1442695040888963407U;
  const auto random = static_cast<std::uint32_t>(mine.chance >> 33);
  return state.one_in / 2 + random % state.one_in + 1;
}

recorder& recorder_of_thread() {
  if (own == nullptr) [[unlikely]] {
    auto fresh = std::make_unique<recorder>();
    fresh->chance = static_cast<std::uint64_t>(now_ns());
    // Touched now, so that no page fault is timed.
    fresh->records.resize(state.records_max);
    fresh->records.clear();
    own = fresh.get();
    const std::lock_guard lock(state.mutex);
    state.recorders.push_back(std::move(fresh));
  }
  return *own;
}

void keep(recorder& mine, operation what, std::int64_t begin, std::int64_t end) noexcept {
  if (mine.records.size() < mine.records.capacity())
    mine.records.push_back({what, begin, end - begin});
}

template <class Call>
int timed(operation of_id, operation of_message, Call call) {
  recorder& mine = recorder_of_thread();
  const std::int64_t begin = ticks();
  const int result = call();
  const std::int64_t end = ticks();
  const bool is_last = mine.frame + 1 == state.frames;
  if (mine.frame == 0)
    mine.begin_ticks = begin;
  if (result < 0) {  // tried again, or given up
    mine.frame = 0;
    return result;
  }
  keep(mine, is_last ? of_message : of_id, begin, end);
  mine.is_iteration_open = is_last;
  ++mine.frame;
  return result;
}

double ns_per_tick() {
  if (!state.uses_tsc)
    return 1;
  return static_cast<double>(now_ns() - state.epoch_ns) /
         static_cast<double>(std::max<std::int64_t>(1, ticks() - state.epoch_ticks));
}

operation_times summary_of(operation what, std::vector<double>& times_ns) {
  operation_times summary{name_of(what).what};
  std::sort(times_ns.begin(), times_ns.end());
  const std::size_t count = times_ns.size();
  summary.count = static_cast<std::int64_t>(count);
  summary.mean_ns =
      std::accumulate(times_ns.begin(), times_ns.end(), 0.0) / static_cast<double>(count);
  summary.p50_ns = times_ns[count / 2];
  summary.p99_ns = times_ns[count * 99 / 100];
  summary.max_ns = times_ns.back();
  return summary;
}

}  // namespace

void operation_timer::prepare(send_function send_by, recv_function recv_by,
                              const workload_spec& spec) {
  state.send = send_by;
  state.recv = recv_by;
  state.uses_tsc = has_invariant_tsc();
  state.frames = spec.pattern == pattern_kind::router_router ? 2 : 1;
  const int one_in = std::max(0, spec.time_one_in);
  state.one_in = static_cast<std::uint32_t>(one_in);
  auto messages =
      one_in == 0 ? 0 : static_cast<std::size_t>((spec.warmup + spec.messages) / one_in);
  if (state.one_in == 1)
    messages = std::min(messages, every_message_records);
  // A half more than chance will want.
  state.records_max = (messages + 1000) * static_cast<std::size_t>(state.frames + 1) * 3 / 2;
  state.cost_ticks = cost_of_ticks();
  state.epoch_ns = now_ns();
  state.epoch_ticks = ticks();
}

operation_timer::turn operation_timer::next(role_kind role) noexcept {
  if (state.one_in == 0)
    return {false, std::numeric_limits<std::uint32_t>::max()};
  recorder& mine = recorder_of_thread();
  if (mine.is_iteration_open) {
    // The message before was timed, and its iteration ends where this one begins.
    keep(mine, mine.iteration, mine.begin_ticks, ticks());
    mine.is_iteration_open = false;
    if (state.one_in > 1)
      return {false, next_gap(mine)};
  }
  mine.frame = 0;
  mine.iteration = role == role_kind::sender ? operation::sending : operation::receiving;
  return {true, 1};
}

int operation_timer::send(void* socket, const void* data, std::size_t size, int flags) {
  return timed(operation::send_id, operation::send_message,
               [&] { return state.send(socket, data, size, flags); });
}

int operation_timer::recv(void* socket, void* data, std::size_t size, int flags) {
  return timed(operation::recv_id, operation::recv_message,
               [&] { return state.recv(socket, data, size, flags); });
}

std::vector<operation_times> operation_timer::between(role_kind role, std::int64_t begin_ns,
                                                      std::int64_t end_ns) {
  const double scale = ns_per_tick();
  std::array<std::vector<double>, names.size()> times_ns;
  const std::lock_guard lock(state.mutex);
  for (const std::unique_ptr<recorder>& each : state.recorders) {
    for (const record& one : each->records) {
      const bool has_no_end = each->is_iteration_open && one.begin_ticks >= each->begin_ticks;
      if (name_of(one.what).role != role || has_no_end)
        continue;
      const auto since_epoch = static_cast<double>(one.begin_ticks - state.epoch_ticks) * scale;
      const std::int64_t at_ns = state.epoch_ns + static_cast<std::int64_t>(since_epoch);
      if (at_ns < begin_ns || at_ns > end_ns)
        continue;
      const bool is_iteration = one.what == operation::sending || one.what == operation::receiving;
      // An iteration holds two looks at the timer for each frame.
      const double cost = state.cost_ticks * (is_iteration ? 2 * state.frames : 1);
      const double net = std::max(0.0, static_cast<double>(one.ticks) - cost);
      times_ns[static_cast<std::size_t>(one.what)].push_back(net * scale);
    }
  }
  std::vector<operation_times> found;
  for (std::size_t kind = 0; kind < times_ns.size(); ++kind) {
    if (!times_ns[kind].empty())
      found.push_back(summary_of(static_cast<operation>(kind), times_ns[kind]));
  }
  return found;
}

timer_facts operation_timer::facts() {
  return {state.uses_tsc ? "tsc" : "clock_gettime", state.cost_ticks * ns_per_tick()};
}

}  // namespace slkbench
