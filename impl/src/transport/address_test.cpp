#include "transport/address.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <string_view>

namespace slk {
namespace {

constexpr bool to_bind = true;
constexpr bool to_connect = false;

int error_of(std::string_view endpoint, bool for_bind, bool ipv6 = false) {
  CAPTURE(endpoint);
  return parse_address(endpoint, for_bind, ipv6).error();
}

address parsed(std::string_view endpoint, bool for_bind, bool ipv6 = false) {
  CAPTURE(endpoint);
  result<address> outcome = parse_address(endpoint, for_bind, ipv6);
  REQUIRE(outcome);
  CHECK(outcome.value().text == endpoint);
  return outcome.take();
}

TEST_CASE("tcp: host and port") {
  for (const std::string host : {"127.0.0.1", "localhost", "a-b_c.example", "eth0", "eth0.1"}) {
    for (const bool for_bind : {to_bind, to_connect}) {
      const address a = parsed("tcp://" + host + ":5555", for_bind);
      CHECK(a.scheme == scheme::tcp);
      CHECK(a.host == host);
      CHECK(a.port == 5555);
      CHECK_FALSE(a.wildcard_host);
      CHECK_FALSE(a.wildcard_port);
      CHECK(a.source_host.empty());
    }
  }
  CHECK(parsed("tcp://h:1", to_connect).port == 1);
  CHECK(parsed("tcp://h:65535", to_connect).port == 65535);
}

TEST_CASE("tcp: wildcards are for binding") {
  for (const std::string port : {"*", "0"}) {
    const address a = parsed("tcp://*:" + port, to_bind);
    CHECK(a.wildcard_host);
    CHECK(a.wildcard_port);
    CHECK(a.port == 0);
    CHECK(error_of("tcp://127.0.0.1:" + port, to_connect) == EINVAL);
  }
  const address a = parsed("tcp://*:5555", to_bind);
  CHECK(a.wildcard_host);
  CHECK_FALSE(a.wildcard_port);
  CHECK(error_of("tcp://*:5555", to_connect) == EINVAL);
}

TEST_CASE("tcp: IPv6 only where it is switched on") {
  for (const bool for_bind : {to_bind, to_connect}) {
    CHECK(parsed("tcp://[::1]:5555", for_bind, true).host == "::1");
    CHECK(parsed("tcp://[fe80::1%eth0]:5555", for_bind, true).host == "fe80::1%eth0");
    CHECK(parsed("tcp://::1:5555", for_bind, true).host == "::1");
    CHECK(error_of("tcp://[::1]:5555", for_bind) == EINVAL);
    for (const char* bad : {"tcp://[]:1", "tcp://[::1:1", "tcp://[::1]", "tcp://[localhost]:1",
                            "tcp://::1]:1", "tcp://[::1]]:1"}) {
      CHECK(error_of(bad, for_bind, true) == EINVAL);
    }
  }
}

TEST_CASE("tcp: a source to connect from") {
  address a = parsed("tcp://10.0.0.1:4444;host:5555", to_connect);
  CHECK(a.source_host == "10.0.0.1");
  CHECK(a.source_port == 4444);
  CHECK(a.host == "host");
  CHECK(a.port == 5555);
  a = parsed("tcp://*:0;host:5555", to_connect);
  CHECK(a.source_host == "*");
  CHECK(a.source_port == 0);
  a = parsed("tcp://[::1]:*;[::2]:5555", to_connect, true);
  CHECK(a.source_host == "::1");
  CHECK(a.host == "::2");
  CHECK(error_of("tcp://10.0.0.1:4444;host:5555", to_bind) == EINVAL);
  for (const char* bad : {"tcp://;host:1", "tcp://a;host:1", "tcp://a:1;", "tcp://a:1;b",
                          "tcp://a:1;b:0", "tcp://a:1;*:1", "tcp://a:1;b:1;c:1"}) {
    CHECK(error_of(bad, to_connect) == EINVAL);
  }
}

TEST_CASE("what is no endpoint at all") {
  using namespace std::string_view_literals;
  for (const bool for_bind : {to_bind, to_connect}) {
    for (const std::string_view bad : {""sv,
                                       "tcp"sv,
                                       "tcp:"sv,
                                       "tcp:/"sv,
                                       "tcp:/localhost:5555"sv,
                                       "://"sv,
                                       "://localhost:1"sv,
                                       "tcp://"sv,
                                       "ipc://"sv,
                                       "inproc://"sv,
                                       "tcp://localhost"sv,
                                       "tcp://localhost:"sv,
                                       "tcp://:5555"sv,
                                       "tcp://:"sv,
                                       "tcp://h:port"sv,
                                       "tcp://h:5555x"sv,
                                       "tcp://h: 5555"sv,
                                       "tcp://h:+1"sv,
                                       "tcp://h:-1"sv,
                                       "tcp://h:65536"sv,
                                       "tcp://h:99999"sv,
                                       "tcp://h:18446744073709551617"sv,
                                       "tcp://in val id:1234"sv,
                                       "tcp://h/:1"sv,
                                       "tcp://\xC3\xA4:1"sv,
                                       "ipc://@"sv,
                                       "inproc://a\0b"sv}) {
      CHECK(error_of(bad, for_bind) == EINVAL);
    }
    for (const char* unknown : {"udp://h:1", "TCP://h:1", "invalid://h:1", "x://", " tcp://h:1"}) {
      CHECK(error_of(unknown, for_bind) == EPROTONOSUPPORT);
    }
  }
}

TEST_CASE("ipc: paths, abstract names, the wildcard") {
  for (const bool for_bind : {to_bind, to_connect}) {
    const address a = parsed("ipc:///tmp/a b:1", for_bind);
    CHECK(a.scheme == scheme::ipc);
    CHECK(a.path == "/tmp/a b:1");
    CHECK_FALSE(a.abstract_path());
    CHECK(parsed("ipc://@name", for_bind).abstract_path());
    const std::string longest = "ipc://" + std::string(107, 'p');
    CHECK(parsed(longest, for_bind).path.size() == 107);
    CHECK(error_of(longest + 'p', for_bind) == ENAMETOOLONG);
  }
  CHECK(parsed("ipc://*", to_bind).wildcard_path());
  CHECK(error_of("ipc://*", to_connect) == EINVAL);
}

TEST_CASE("inproc: any name") {
  for (const char* name : {"a", "*", "@", "a b/c://d", "#1"}) {
    const address a = parsed(std::string("inproc://") + name, to_connect);
    CHECK(a.scheme == scheme::inproc);
    CHECK(a.path == name);
    CHECK_FALSE(a.wildcard_path());
    CHECK_FALSE(a.abstract_path());
  }
}

}  // namespace
}  // namespace slk
