#pragma once

#include <cstdint>

namespace slk {

enum class flush_result : std::uint8_t {
  complete,   // everything published is with the kernel
  blocked,    // the kernel's buffer is full
  busy,       // the other thread is at it this very moment
  no_stream,  // no connection now; what is published waits for the next, or for the pipe's end
};

}  // namespace slk
