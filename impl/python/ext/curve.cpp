#include "curve.hpp"

#include <nanobind/stl/pair.h>
#include <serverlink/serverlink.h>

#include <string>
#include <utility>
#include <vector>

#include "error.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace slk::python {

namespace {

constexpr size_t key_characters = 40;

std::pair<nb::bytes, nb::bytes> curve_keypair() {
  char open[key_characters + 1];
  char secret[key_characters + 1];
  if (slk_curve_keypair(open, secret) != 0) {
    raise_last_error();
  }
  return {nb::bytes(open, key_characters), nb::bytes(secret, key_characters)};
}

nb::bytes curve_public(nb::bytes secret) {
  char open[key_characters + 1];
  if (slk_curve_public(open, secret.c_str()) != 0) {
    raise_last_error();
  }
  return nb::bytes(open, key_characters);
}

nb::bytes z85_encode(nb::bytes data) {
  std::vector<char> text(data.size() / 4 * 5 + 1);
  const auto* bytes = reinterpret_cast<const uint8_t*>(data.c_str());
  if (slk_z85_encode(text.data(), bytes, data.size()) == nullptr) {
    raise_last_error();
  }
  return nb::bytes(text.data(), text.size() - 1);
}

nb::bytes z85_decode(nb::bytes text) {
  const std::string characters(text.c_str(), text.size());
  std::vector<uint8_t> bytes(text.size() / 5 * 4 + 1);
  if (characters.find('\0') != std::string::npos) {
    raise_error(EINVAL);
  }
  if (slk_z85_decode(bytes.data(), characters.c_str()) == nullptr) {
    raise_last_error();
  }
  return nb::bytes(bytes.data(), bytes.size() - 1);
}

}  // namespace

void define_curve(nb::module_& m) {
  m.def("curve_keypair", &curve_keypair,
        "A fresh pair of keys, public and secret, 40 bytes of Z85 each. Raises ENOTSUP where the "
        "library\nhas no CURVE.");
  m.def("curve_public", &curve_public, "secret_key"_a,
        "The public key to a secret one. Raises ENOTSUP; EINVAL (no key).");
  m.def("z85_encode", &z85_encode, "data"_a,
        "Four bytes as five characters. Raises EINVAL (no multiple of 4).");
  m.def("z85_decode", &z85_decode, "text"_a,
        "Five characters as four bytes. Raises EINVAL (not Z85).");
}

}  // namespace slk::python
