// CPU time, context switches and memory of a thread or of the whole process.
#pragma once

#include <cstdint>

namespace slkbench {

struct usage {
  std::int64_t user_ns = 0;
  std::int64_t system_ns = 0;
  std::int64_t voluntary_switches = 0;
  std::int64_t involuntary_switches = 0;

  usage operator-(const usage& earlier) const noexcept;
};

usage thread_usage() noexcept;   // of the calling thread
usage process_usage() noexcept;  // of all threads, those of the library included

// High water mark of the resident set since exec. getrusage's ru_maxrss would be wrong: it
// starts at the size of the process that forked.
std::int64_t max_rss_bytes() noexcept;

// The resident set now.
std::int64_t rss_bytes() noexcept;

}  // namespace slkbench
