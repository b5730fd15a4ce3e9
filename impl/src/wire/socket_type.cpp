#include "wire/socket_type.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace slk {
namespace {

constexpr std::array<std::string_view, socket_type_count> names = {
    "PAIR", "PUB", "SUB", "REQ", "REP", "DEALER", "ROUTER", "PULL", "PUSH", "XPUB", "XSUB"};

using type_set = std::uint16_t;

constexpr type_set set_of(socket_type type) {
  return static_cast<type_set>(1U << static_cast<unsigned>(type));
}

template <class... More>
constexpr type_set set_of(socket_type first, More... more) {
  return static_cast<type_set>(set_of(first) | set_of(more...));
}

constexpr std::array<type_set, socket_type_count> partners = {
    set_of(socket_type::pair),                                           // PAIR
    set_of(socket_type::sub, socket_type::xsub),                         // PUB
    set_of(socket_type::pub, socket_type::xpub),                         // SUB
    set_of(socket_type::rep, socket_type::router),                       // REQ
    set_of(socket_type::req, socket_type::dealer),                       // REP
    set_of(socket_type::dealer, socket_type::router, socket_type::rep),  // DEALER
    set_of(socket_type::router, socket_type::dealer, socket_type::req),  // ROUTER
    set_of(socket_type::push),                                           // PULL
    set_of(socket_type::pull),                                           // PUSH
    set_of(socket_type::sub, socket_type::xsub),                         // XPUB
    set_of(socket_type::pub, socket_type::xpub),                         // XSUB
};

}  // namespace

std::string_view name(socket_type type) noexcept {
  return names[static_cast<std::size_t>(type)];
}

std::optional<socket_type> parse_socket_type(std::string_view text) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == text) {
      return static_cast<socket_type>(i);
    }
  }
  return std::nullopt;
}

bool compatible(socket_type ours, socket_type theirs) noexcept {
  return (partners[static_cast<std::size_t>(ours)] & set_of(theirs)) != 0;
}

bool announces_identity(socket_type type) noexcept {
  return (set_of(socket_type::req, socket_type::dealer, socket_type::router) & set_of(type)) != 0;
}

}  // namespace slk
