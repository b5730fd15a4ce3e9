#include "usage.hpp"

#include <sys/resource.h>

#include <cstdio>

namespace slkbench {
namespace {

std::int64_t ns_of(const timeval& time) noexcept {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_usec} * 1000;
}

usage usage_of(int who) noexcept {
  rusage raw{};
  getrusage(who, &raw);
  return {ns_of(raw.ru_utime), ns_of(raw.ru_stime), raw.ru_nvcsw, raw.ru_nivcsw};
}

// A line of the process's status that `form`, with one %ld, matches; 0 if there is none.
std::int64_t status_bytes(const char* form) noexcept {
  std::FILE* status = std::fopen("/proc/self/status", "re");
  if (status == nullptr)
    return 0;
  long kib = 0;
  char line[256];
  while (std::fgets(line, sizeof line, status) != nullptr) {
    if (std::sscanf(line, form, &kib) == 1)
      break;
  }
  std::fclose(status);
  return std::int64_t{kib} * 1024;
}

}  // namespace

usage usage::operator-(const usage& earlier) const noexcept {
  return {user_ns - earlier.user_ns, system_ns - earlier.system_ns,
          voluntary_switches - earlier.voluntary_switches,
          involuntary_switches - earlier.involuntary_switches};
}

usage thread_usage() noexcept {
  return usage_of(RUSAGE_THREAD);
}

usage process_usage() noexcept {
  return usage_of(RUSAGE_SELF);
}

std::int64_t max_rss_bytes() noexcept {
  return status_bytes("VmHWM: %ld kB");
}

std::int64_t rss_bytes() noexcept {
  return status_bytes("VmRSS: %ld kB");
}

}  // namespace slkbench
