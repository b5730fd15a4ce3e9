// The base of serverlink.frame.Frame: an object that lends the buffer of another.
#pragma once

#include <nanobind/nanobind.h>

namespace slk::python {

void define_frame(nanobind::module_& m);

}  // namespace slk::python
