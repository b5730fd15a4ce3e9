// Turning errno into the package's exceptions (serverlink/error.py).
//
// Two ways, because a C++ throw costs more than a microsecond and EAGAIN is an ordinary answer in a
// polling loop: hot paths call set_error() and return a null object, everything else throws.
#pragma once

#include <nanobind/nanobind.h>

namespace slk::python {

// Sets the Python exception for `errnum`: Again for EAGAIN, ContextTerminated for ETERM, else
// ServerLinkError. `text` takes the place of the library's own words.
void set_error(int errnum, const char* text = nullptr) noexcept;

// set_error(), then throws it through nanobind.
[[noreturn]] void raise_error(int errnum, const char* text = nullptr);

// raise_error(errno).
[[noreturn]] void raise_last_error();

// Throws if a signal handler raised. Runs the handlers that are due.
void check_signals();

}  // namespace slk::python
