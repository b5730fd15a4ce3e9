#include "wire/socket_type.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string_view>
#include <utility>

namespace slk {
namespace {

TEST_CASE("every type has its name, and the name its type") {
  for (int i = 0; i < socket_type_count; ++i) {
    const auto type = static_cast<socket_type>(i);
    CHECK(parse_socket_type(name(type)) == type);
  }
  CHECK(name(socket_type::router) == "ROUTER");
  for (const std::string_view text : {"", "router", "ROUTER ", "ROUTE", "STREAM"}) {
    CHECK_FALSE(parse_socket_type(text).has_value());
  }
}

TEST_CASE("the legal pairs, and no others") {
  using enum socket_type;
  const std::set<std::pair<socket_type, socket_type>> legal = {
      {pair, pair},     {push, pull},  {dealer, dealer}, {dealer, router},
      {router, router}, {dealer, rep}, {router, req},    {req, rep},
      {pub, sub},       {pub, xsub},   {xpub, sub},      {xpub, xsub}};
  for (int i = 0; i < socket_type_count; ++i) {
    for (int j = 0; j < socket_type_count; ++j) {
      const auto a = static_cast<socket_type>(i);
      const auto b = static_cast<socket_type>(j);
      const bool expected = legal.contains({a, b}) || legal.contains({b, a});
      CAPTURE(name(a));
      CAPTURE(name(b));
      CHECK(compatible(a, b) == expected);
    }
  }
}

TEST_CASE("who announces an identity") {
  for (int i = 0; i < socket_type_count; ++i) {
    const auto type = static_cast<socket_type>(i);
    CHECK(announces_identity(type) ==
          (type == socket_type::req || type == socket_type::dealer || type == socket_type::router));
  }
}

}  // namespace
}  // namespace slk
