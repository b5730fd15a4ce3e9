#pragma once

#include <nanobind/nanobind.h>

namespace slk::python {

// Waits for events. `items` is a sequence of (socket, descriptor or object with fileno(), events);
// timeout_ms < 0 waits for ever. Returns the list of (socket or descriptor, events that are there).
// Runs signal handlers and goes on waiting for what is left of the time.
nanobind::list poll(nanobind::handle items, long timeout_ms);

}  // namespace slk::python
