#include "thread_census.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "clock.hpp"
#include "unique_fd.hpp"

namespace slkbench {
namespace {

std::vector<int> thread_ids() {
  std::vector<int> ids;
  DIR* const folder = opendir("/proc/self/task");
  if (folder == nullptr)
    return ids;
  while (const dirent* const entry = readdir(folder)) {
    if (const int id = std::atoi(entry->d_name); id > 0)
      ids.push_back(id);
  }
  closedir(folder);
  std::sort(ids.begin(), ids.end());
  return ids;
}

// What the kernel tells of a thread in a file of that name, up to the end of its first line.
template <std::size_t Size>
std::string_view line_of(int id, const char* file_name, char (&line)[Size]) noexcept {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/self/task/%d/%s", id, file_name);
  const unique_fd file(open(path, O_RDONLY | O_CLOEXEC));
  const ssize_t size = file.get() < 0 ? 0 : read(file.get(), line, Size);
  const std::string_view text(line, size < 0 ? 0 : static_cast<std::size_t>(size));
  return text.substr(0, text.find('\n'));
}

enum class doing { waiting, working, unknown };

doing state_of(int id) {
  char space[256];
  const std::string_view line = line_of(id, "syscall", space);
  if (line.empty())
    return doing::unknown;
  // The number of the call that the thread is in, then its arguments; or "running".
  int number = -1;
  std::from_chars(line.data(), line.data() + line.size(), number);
  constexpr int waits[] = {
#ifdef SYS_epoll_wait
      SYS_epoll_wait,
#endif
#ifdef SYS_epoll_pwait2
      SYS_epoll_pwait2,
#endif
#ifdef SYS_poll
      SYS_poll,
#endif
#ifdef SYS_select
      SYS_select,
#endif
      SYS_epoll_pwait,  SYS_ppoll, SYS_pselect6,
  };
  const bool waits_there = std::find(std::begin(waits), std::end(waits), number) != std::end(waits);
  return waits_there ? doing::waiting : doing::working;
}

}  // namespace

void thread_census::take(std::string_view part) {
  for (const int id : thread_ids()) {
    if (find(id) == known_.end())
      known_.push_back({id, std::string(part), {}});
  }
}

void thread_census::add(int id, std::string_view part) {
  if (id < 0)
    return;
  if (const auto known = find(id); known != known_.end())
    known->part = part;
  else
    known_.push_back({id, std::string(part), {}});
}

std::vector<known_thread>::iterator thread_census::find(int id) {
  return std::find_if(known_.begin(), known_.end(),
                      [id](const known_thread& known) { return known.id == id; });
}

std::vector<known_thread> thread_census::threads() const {
  std::vector<known_thread> named = known_;
  char space[32];
  for (known_thread& thread : named)
    thread.name = line_of(thread.id, "comm", space);
  std::sort(named.begin(), named.end(),
            [](const known_thread& one, const known_thread& other) { return one.id < other.id; });
  return named;
}

std::vector<int> other_thread_ids() {
  std::vector<int> ids = thread_ids();
  std::erase(ids, gettid());
  return ids;
}

std::vector<thread_time> read_thread_times() {
  std::vector<thread_time> times;
  for (const int id : thread_ids()) {
    // How the kernel numbers the CPU clock of a thread; what schedstat says of it may be a tick
    // old.
    constexpr clockid_t per_thread_sched = 6;
    const clockid_t clock = (~static_cast<clockid_t>(id) << 3) | per_thread_sched;
    timespec used{};
    if (clock_gettime(clock, &used) != 0)
      continue;
    char space[128];
    const std::string line(line_of(id, "schedstat", space));
    long long running_ns = 0;
    long long waited_ns = 0;
    (void)std::sscanf(line.c_str(), "%lld %lld", &running_ns, &waited_ns);
    times.push_back({id, std::int64_t{used.tv_sec} * 1'000'000'000 + used.tv_nsec, waited_ns});
  }
  return times;
}

void await_idle_threads(const std::vector<int>& ids, int limit_ms) {
  constexpr int looks_needed = 2;
  constexpr useconds_t pause_us = 100;
  constexpr int pauses_if_unknown = 10;
  const std::int64_t end_ns = now_ns() + std::int64_t{limit_ms} * 1'000'000;
  for (int looks = 0, unknown = 0; looks < looks_needed && now_ns() < end_ns;) {
    usleep(pause_us);
    bool is_idle = true;
    bool is_known = true;
    for (const int id : ids) {
      const doing now = state_of(id);
      is_idle = is_idle && now == doing::waiting;
      is_known = is_known && now != doing::unknown;
    }
    looks = is_idle ? looks + 1 : 0;
    if (!is_known && ++unknown == pauses_if_unknown)
      return;
  }
}

}  // namespace slkbench
