// The account of messages for loops in Python: payloads stamped and checked by the same code as in
// the native loops, so that a loop measures the binding and not its own bookkeeping.
#pragma once

#include <nanobind/nanobind.h>

namespace slkbench {

// Adds Payload and Ledger.
void define_python_account(nanobind::module_& m);

}  // namespace slkbench
