#pragma once

#include <cstddef>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace slk {

// Our own constant: std::hardware_destructive_interference_size changes with tuning flags, and
// with it the layout of types that two builds may share.
inline constexpr std::size_t cache_line_bytes = 64;

// Tells the core that this is a spin loop; a few tens of cycles on x86.
inline void cpu_pause() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace slk
