#pragma once

namespace slk {

// The calling thread may run on more than one CPU (sched_getaffinity(2)); true where that cannot be
// told.
[[nodiscard]] bool several_cpus() noexcept;

}  // namespace slk
