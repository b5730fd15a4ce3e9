#include "abi.hpp"

#include <array>
#include <cerrno>

namespace slkbench {
namespace {

// Numbers of the library's own, outside errno.h.
constexpr int zmq_eterm = 156384712 + 53;

constexpr std::array<abi_traits, 3> known_abis{{
    {abi_kind::zmq, "zmq", "zmq_", "ctx_term", false, false},
    {abi_kind::serverlink, "serverlink", "slk_", "ctx_term", false, false},
    {abi_kind::public_serverlink, "public-serverlink", "slk_", "ctx_destroy", true, true},
}};

}  // namespace

const abi_traits& traits_of(abi_kind kind) noexcept {
  return known_abis[static_cast<std::size_t>(kind)];
}

std::optional<abi_kind> abi_by_name(std::string_view name) noexcept {
  for (const abi_traits& abi : known_abis) {
    if (abi.name == name)
      return abi.kind;
  }
  return std::nullopt;
}

int posix_error(const abi_traits& abi, int number) noexcept {
  if (!abi.own_error_numbers)
    return number;
  switch (number) {
    case 1:
      return EINVAL;
    case 2:
      return ENOMEM;
    case 3:
      return EAGAIN;
    case 4:
      return ENOTSOCK;
    case 5:
      return EPROTO;
    case 6:
      return zmq_eterm;
    case 10:
    case 12:
      return EHOSTUNREACH;
    default:
      return number;
  }
}

}  // namespace slkbench
