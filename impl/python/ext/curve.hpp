#pragma once

#include <nanobind/nanobind.h>

namespace slk::python {

// curve_keypair, curve_public, z85_encode, z85_decode.
void define_curve(nanobind::module_& m);

}  // namespace slk::python
