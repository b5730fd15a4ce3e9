// Calls that send or receive many messages in one crossing of the binding.
#pragma once

#include <nanobind/nanobind.h>

namespace slk::python {

// Adds send_many, recv_many and recv_into_many to the class.
void define_batches(nanobind::handle type);

}  // namespace slk::python
