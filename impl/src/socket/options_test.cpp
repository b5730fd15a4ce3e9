#include "socket/options.hpp"

#include <doctest/doctest.h>
#include <serverlink/serverlink.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string>
#include <vector>

namespace slk {
namespace {

constexpr std::array every_type{socket_type::pair, socket_type::dealer, socket_type::router,
                                socket_type::pull, socket_type::push};

struct int_row {
  int option;
  int initial;
  int least;
  int most;
};

const std::vector<int_row> common{
    {SLK_SNDBUF, -1, -1, INT_MAX},
    {SLK_RCVBUF, -1, -1, INT_MAX},
    {SLK_LINGER, -1, -1, INT_MAX},
    {SLK_RECONNECT_IVL, 100, -1, INT_MAX},
    {SLK_RECONNECT_IVL_MAX, 0, 0, INT_MAX},
    {SLK_BACKLOG, 100, 0, INT_MAX},
    {SLK_SNDHWM, 1000, 0, INT_MAX},
    {SLK_RCVHWM, 1000, 0, INT_MAX},
    {SLK_RCVTIMEO, -1, -1, INT_MAX},
    {SLK_SNDTIMEO, -1, -1, INT_MAX},
    {SLK_TCP_KEEPALIVE, -1, -1, 1},
    {SLK_TCP_KEEPALIVE_CNT, -1, -1, INT_MAX},
    {SLK_TCP_KEEPALIVE_IDLE, -1, -1, INT_MAX},
    {SLK_TCP_KEEPALIVE_INTVL, -1, -1, INT_MAX},
    {SLK_IMMEDIATE, 0, 0, 1},
    {SLK_IPV6, 0, 0, 1},
    {SLK_HANDSHAKE_IVL, 30000, 0, INT_MAX},
};

int set_int(socket_options& options, socket_type type, int option, int value) {
  return options.set(type, option, &value, sizeof value);
}

int get_int(const socket_options& options, socket_type type, int option) {
  int value = INT_MIN;
  std::size_t size_bytes = sizeof value;
  REQUIRE(options.get(type, option, &value, &size_bytes) == 0);
  REQUIRE(size_bytes == sizeof value);
  return value;
}

void check_row(socket_options& options, socket_type type, const int_row& row) {
  CAPTURE(row.option);
  CHECK(get_int(options, type, row.option) == row.initial);
  for (const int value : {row.least, row.most}) {
    CHECK(set_int(options, type, row.option, value) == 0);
    CHECK(get_int(options, type, row.option) == value);
  }
  CHECK(set_int(options, type, row.option, row.least - 1) == EINVAL);
  if (row.most < INT_MAX) {
    CHECK(set_int(options, type, row.option, row.most + 1) == EINVAL);
  }
  const std::int64_t wide = row.initial;
  CHECK(options.set(type, row.option, &wide, sizeof wide) == EINVAL);
  CHECK(options.set(type, row.option, &wide, 2) == EINVAL);
  CHECK(options.set(type, row.option, &wide, 0) == EINVAL);
  CHECK(options.set(type, row.option, nullptr, sizeof(int)) == EINVAL);
  CHECK(get_int(options, type, row.option) == row.most);  // a refusal changes nothing
  std::array<char, 2> small{};
  std::size_t room = small.size();
  CHECK(options.get(type, row.option, small.data(), &room) == EINVAL);
}

}  // namespace

TEST_CASE("options: numbers that every type has: default, range, size") {
  for (const socket_type type : every_type) {
    socket_options options;
    for (const int_row& row : common) {
      check_row(options, type, row);
    }
  }
}

TEST_CASE("options: MAXMSGSIZE is a 64-bit number") {
  socket_options options;
  const auto type = socket_type::pull;
  std::int64_t value = 0;
  std::size_t size_bytes = sizeof value;
  CHECK(options.get(type, SLK_MAXMSGSIZE, &value, &size_bytes) == 0);
  CHECK(value == -1);
  value = std::int64_t{1} << 40;
  CHECK(options.set(type, SLK_MAXMSGSIZE, &value, sizeof value) == 0);
  CHECK(options.for_session(type).frame_bytes_max == value);
  value = -2;
  CHECK(options.set(type, SLK_MAXMSGSIZE, &value, sizeof value) == EINVAL);
  CHECK(set_int(options, type, SLK_MAXMSGSIZE, 5) == EINVAL);
}

TEST_CASE("options: some belong to few types, some numbers to none") {
  for (const socket_type type : every_type) {
    CAPTURE(static_cast<int>(type));
    socket_options options;
    const bool router = type == socket_type::router;
    const bool probing = router || type == socket_type::dealer;
    CHECK(set_int(options, type, SLK_ROUTER_MANDATORY, 1) == (router ? 0 : EINVAL));
    CHECK(set_int(options, type, SLK_ROUTER_HANDOVER, 1) == (router ? 0 : EINVAL));
    CHECK(set_int(options, type, SLK_PROBE_ROUTER, 1) == (probing ? 0 : EINVAL));
    CHECK(set_int(options, type, SLK_PROBE_ROUTER, 2) == EINVAL);
    CHECK(options.set(type, SLK_CONNECT_ROUTING_ID, "x", 1) == (router ? 0 : EINVAL));
    for (const int unknown : {0, 10, 1000, -1}) {
      CHECK(set_int(options, type, unknown, 0) == EINVAL);
      int value = 0;
      std::size_t size_bytes = sizeof value;
      CHECK(options.get(type, unknown, &value, &size_bytes) == EINVAL);
    }
  }
}

TEST_CASE("options: a routing id is 1 to 255 bytes of any kind") {
  socket_options options;
  const auto type = socket_type::dealer;
  const std::string longest(255, '\0');
  CHECK(options.set(type, SLK_ROUTING_ID, longest.data(), longest.size()) == 0);
  std::array<char, 255> out{};
  std::size_t size_bytes = out.size();
  CHECK(options.get(type, SLK_ROUTING_ID, out.data(), &size_bytes) == 0);
  CHECK(size_bytes == 255);
  size_bytes = 254;
  CHECK(options.get(type, SLK_ROUTING_ID, out.data(), &size_bytes) == EINVAL);
  CHECK(options.get(type, SLK_ROUTING_ID, out.data(), nullptr) == EINVAL);
  CHECK(options.set(type, SLK_ROUTING_ID, "", 0) == EINVAL);
  CHECK(options.set(type, SLK_ROUTING_ID, nullptr, 3) == EINVAL);
  CHECK(options.set(type, SLK_ROUTING_ID, std::string(256, 'x').data(), 256) == EINVAL);
  CHECK(options.for_session(type).routing_id == longest);
}

TEST_CASE("options: a session gets what was set") {
  socket_options options;
  const auto type = socket_type::router;
  CHECK(set_int(options, type, SLK_SNDHWM, 7) == 0);
  CHECK(set_int(options, type, SLK_SNDBUF, 8192) == 0);
  CHECK(set_int(options, type, SLK_BACKLOG, 9) == 0);
  CHECK(set_int(options, type, SLK_HANDSHAKE_IVL, 10) == 0);
  CHECK(set_int(options, type, SLK_RECONNECT_IVL, 11) == 0);
  CHECK(set_int(options, type, SLK_RECONNECT_IVL_MAX, 12) == 0);
  CHECK(set_int(options, type, SLK_IMMEDIATE, 1) == 0);
  CHECK(set_int(options, type, SLK_IPV6, 1) == 0);
  const session_settings settings = options.for_session(type);
  CHECK(settings.socket_type == type);
  CHECK(settings.send_mark == 7);
  CHECK(settings.transport.sndbuf == 8192);
  CHECK(settings.transport.backlog == 9);
  CHECK(settings.transport.ipv6);
  CHECK(settings.handshake_interval_ms == 10);
  CHECK(settings.reconnect_interval_ms == 11);
  CHECK(settings.reconnect_interval_max_ms == 12);
  CHECK(settings.immediate);
  CHECK(settings.application_reads);
  CHECK_FALSE(options.for_session(socket_type::push).application_reads);
}

}  // namespace slk
