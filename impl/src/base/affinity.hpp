#pragma once

namespace slk {

// The calling thread may run on more than one CPU (sched_getaffinity(2)); true where that cannot be
// told.
[[nodiscard]] bool several_cpus() noexcept;

// The CPU that the calling thread runs on right now, which may be another one any time
// (sched_getcpu(3)); negative where that cannot be told.
[[nodiscard]] int current_cpu() noexcept;

}  // namespace slk
