#include "watcher.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <span>

namespace slkbench {

namespace {

constexpr int parent_is_gone = 125;
constexpr long grace_ms = 250;    // for helpers that end by themselves once their parent has
constexpr long ending_ms = 5000;  // for all generations of children to be ended
constexpr long turn_ms = 10;
constexpr std::size_t names_shown = 3;
constexpr int lowest_other_fd = 3;

sigset_t watched_signals() noexcept {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE})
    sigaddset(&set, number);
  return set;
}

long now_ms() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// The direct children; of these, orphans of the measured process have become some.
std::span<const pid_t> children(std::array<pid_t, 256>& found) noexcept {
  std::array<char, 64> path{};
  std::snprintf(path.data(), path.size(), "/proc/self/task/%d/children", getpid());
  std::FILE* file = std::fopen(path.data(), "re");
  if (file == nullptr)
    return {};
  std::size_t count = 0;
  while (count < found.size() && std::fscanf(file, "%d", &found[count]) == 1)
    ++count;
  std::fclose(file);
  return std::span(found).first(count);
}

// Reaps what has ended: 1 if `child` is among it, 0 if others run on, -1 if there is nobody left.
int reap(pid_t child, int& status, rusage& used) noexcept {
  for (;;) {
    int ended_status = 0;
    rusage ended_used{};
    const pid_t ended = wait4(-1, &ended_status, WNOHANG, &ended_used);
    if (ended == 0)
      return 0;
    if (ended < 0)
      return errno == EINTR ? 0 : -1;
    if (ended == child) {
      status = ended_status;
      used = ended_used;
      return 1;
    }
  }
}

bool nobody_is_left() noexcept {
  int status = 0;
  rusage used{};
  return reap(-1, status, used) < 0;
}

void wait_for_a_child(long time_ms) noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  const timespec limit{time_ms / 1000, time_ms % 1000 * 1'000'000};
  sigtimedwait(&set, nullptr, &limit);
}

// The children of an ended child come to this process and are ended in the next turn.
void end_everybody() noexcept {
  const long deadline_ms = now_ms() + ending_ms;
  while (!nobody_is_left() && now_ms() < deadline_ms) {
    std::array<pid_t, 256> found{};
    for (const pid_t each : children(found))
      kill(each, SIGKILL);
    wait_for_a_child(turn_ms);
  }
}

// The name of a process, of harmless letters.
void append_name(pid_t process, std::array<char, 128>& names) noexcept {
  std::array<char, 64> path{};
  std::array<char, 32> name{};
  std::snprintf(path.data(), path.size(), "/proc/%d/comm", process);
  if (std::FILE* file = std::fopen(path.data(), "re")) {
    if (std::fgets(name.data(), static_cast<int>(name.size()), file) == nullptr)
      name[0] = '\0';
    std::fclose(file);
  }
  name[std::strcspn(name.data(), "\n")] = '\0';
  for (char& letter : name) {
    const bool is_harmless = letter == '\0' || letter == '-' || letter == '_' || letter == '.' ||
                             (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') ||
                             (letter >= 'a' && letter <= 'z');
    if (!is_harmless)
      letter = '?';
  }
  const std::size_t used = std::strlen(names.data());
  std::snprintf(names.data() + used, names.size() - used, "%s%s", used == 0 ? "" : ", ",
                name.data());
}

// One line of JSON. Begins with a line's end: the child's last words may have none.
void tell(std::size_t left, const char* names, const rusage& used) noexcept {
  std::array<char, 512> line{};
  const int size =
      std::snprintf(line.data(), line.size(),
                    "\n{\"event\":\"ended\",\"left\":%zu,\"names\":\"%s\",\"max_rss_bytes\":%ld}\n",
                    left, names, used.ru_maxrss * 1024);
  // Nobody reading is nobody to tell; a full pipe would be drained by who ends us.
  [[maybe_unused]] const ssize_t written =
      write(STDOUT_FILENO, line.data(), static_cast<std::size_t>(size));
}

void say_what_was_left(const rusage& used) noexcept {
  const long deadline_ms = now_ms() + grace_ms;
  while (!nobody_is_left()) {
    if (now_ms() < deadline_ms) {
      wait_for_a_child(turn_ms);
      continue;
    }
    std::array<pid_t, 256> found{};
    std::array<char, 128> names{};
    const std::span<const pid_t> left = children(found);
    for (const pid_t each : left.first(std::min(left.size(), names_shown)))
      append_name(each, names);
    tell(std::max<std::size_t>(left.size(), 1), names.data(), used);
    return;
  }
  tell(0, "", used);
}

[[noreturn]] void end_as(int status) noexcept {
  if (!WIFSIGNALED(status))
    _exit(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  const rlimit none{0, 0};  // the core that matters is the child's
  setrlimit(RLIMIT_CORE, &none);
  std::signal(number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  kill(getpid(), number);
  _exit(128 + number);
}

// Standard output stays, to be told through; all else would keep a peer's end from being noticed.
void let_go_of_descriptors() noexcept {
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(nothing, STDIN_FILENO);
  dup2(nothing, STDERR_FILENO);
  close_range(lowest_other_fd, ~0U, 0);
}

}  // namespace

void prepare_to_watch(pid_t parent) noexcept {
  const sigset_t set = watched_signals();
  sigprocmask(SIG_BLOCK, &set, nullptr);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent)
    _exit(parent_is_gone);
}

void watch(pid_t child) noexcept {
  let_go_of_descriptors();
  const sigset_t set = watched_signals();
  for (;;) {
    int status = 0;
    rusage used{};
    if (reap(child, status, used) == 1) {
      say_what_was_left(used);
      end_everybody();
      end_as(status);
    }
    const int number = sigwaitinfo(&set, nullptr);
    if (number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT) {
      end_everybody();
      _exit(128 + number);
    }
  }
}

void be_watched(pid_t watcher) noexcept {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != watcher)
    _exit(parent_is_gone);
  const sigset_t set = watched_signals();
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace slkbench
