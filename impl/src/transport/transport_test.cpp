#include <doctest/doctest.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "transport/connect.hpp"
#include "transport/listen.hpp"

namespace slk {
namespace {

constexpr int patience_ms = 10'000;

// A directory that goes with its content, as far as the test put it there.
class scratch_directory {
 public:
  scratch_directory() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
  ~scratch_directory() {
    ::unlink(file("socket").c_str());
    ::rmdir(path_.c_str());
  }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  std::string file(const std::string& name) const { return path_ + '/' + name; }

 private:
  std::string path_ = "/tmp/slk-test-XXXXXX";
};

address endpoint(const std::string& text, bool for_bind, bool ipv6 = false) {
  CAPTURE(text);
  result<address> parsed = parse_address(text, for_bind, ipv6);
  REQUIRE(parsed);
  return parsed.take();
}

listening listen_at(const std::string& text, const transport_options& options = {}) {
  CAPTURE(text);
  result<listening> outcome = listen_on(endpoint(text, true, options.ipv6), options);
  REQUIRE_MESSAGE(outcome, "errno ", outcome.error());
  return outcome.take();
}

int listen_error(const std::string& text, const transport_options& options = {}) {
  return listen_on(endpoint(text, true, options.ipv6), options).error();
}

void wait_for(int fd, short events) {
  pollfd item{fd, events, 0};
  REQUIRE(::poll(&item, 1, patience_ms) == 1);
}

struct connection {
  unique_fd client;
  unique_fd server;
};

unique_fd connect_at(const std::string& text, const transport_options& options = {}) {
  CAPTURE(text);
  result<connecting> attempt = connect_to(endpoint(text, false, options.ipv6), options);
  REQUIRE_MESSAGE(attempt, "errno ", attempt.error());
  unique_fd fd = std::move(attempt.value().fd);
  if (attempt.value().in_progress) {
    wait_for(fd.get(), POLLOUT);
  }
  return fd;
}

connection meet(const listening& at, const std::string& text,
                const transport_options& options = {}) {
  connection both;
  both.client = connect_at(text, options);
  CHECK(connect_finished(both.client.get()));
  wait_for(at.fd.get(), POLLIN);
  const scheme kind = text.starts_with("tcp") ? scheme::tcp : scheme::ipc;
  result<unique_fd> accepted = accept_from(at.fd.get(), kind, options);
  REQUIRE(accepted);
  both.server = accepted.take();
  return both;
}

void check_exchange(const connection& both) {
  for (const auto& [from, to] : {std::pair(both.client.get(), both.server.get()),
                                 std::pair(both.server.get(), both.client.get())}) {
    REQUIRE(::send(from, "ping", 4, MSG_NOSIGNAL) == 4);
    wait_for(to, POLLIN);
    std::array<char, 8> got{};
    CHECK(::recv(to, got.data(), got.size(), 0) == 4);
    CHECK(std::string(got.data()) == "ping");
  }
  for (const int fd : {both.client.get(), both.server.get()}) {
    CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
}

int option(int fd, int level, int name) {
  int value = -1;
  socklen_t bytes = sizeof value;
  CHECK(::getsockopt(fd, level, name, &value, &bytes) == 0);
  return value;
}

std::uint16_t port_in(const std::string& text) {
  return static_cast<std::uint16_t>(std::stoi(text.substr(text.rfind(':') + 1)));
}

bool has_ipv6() {
  const unique_fd fd(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in6 loopback{};
  loopback.sin6_family = AF_INET6;
  loopback.sin6_addr = in6addr_loopback;
  return fd && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&loopback), sizeof loopback) == 0;
}

TEST_CASE("tcp: a wildcard port becomes a real one, in every spelling of the host") {
  struct {
    const char* given;
    const char* resolved;
  } const cases[] = {{"tcp://127.0.0.1:*", "tcp://127.0.0.1:"},
                     {"tcp://127.0.0.1:0", "tcp://127.0.0.1:"},
                     {"tcp://localhost:*", "tcp://127.0.0.1:"},
                     {"tcp://lo:*", "tcp://127.0.0.1:"},
                     {"tcp://*:*", "tcp://0.0.0.0:"}};
  for (const auto& c : cases) {
    const listening at = listen_at(c.given);
    CHECK(at.endpoint.starts_with(c.resolved));
    CHECK(port_in(at.endpoint) != 0);
    CHECK(at.unlink_path.empty());
    check_exchange(meet(at, "tcp://127.0.0.1:" + std::to_string(port_in(at.endpoint))));
  }
}

TEST_CASE("tcp: IPv6, and IPv4 through the same wildcard") {
  if (!has_ipv6()) {
    MESSAGE("skipped: this machine has no IPv6 loopback");
    return;
  }
  transport_options options;
  options.ipv6 = true;
  const listening at = listen_at("tcp://[::1]:*", options);
  CHECK(at.endpoint.starts_with("tcp://[::1]:"));
  const connection both = meet(at, at.endpoint, options);
  CHECK(peer_address(both.server.get()) == "::1");
  check_exchange(both);

  const listening any = listen_at("tcp://*:*", options);
  CHECK(any.endpoint.starts_with("tcp://[::]:"));
  const std::string port = std::to_string(port_in(any.endpoint));
  check_exchange(meet(any, "tcp://[::1]:" + port, options));
  const connection mapped = meet(any, "tcp://127.0.0.1:" + port);
  CHECK(peer_address(mapped.server.get()) == "127.0.0.1");
}

TEST_CASE("tcp: connected descriptors are tuned on both sides") {
  transport_options options;
  options.tcp_keepalive = 1;
  options.tcp_keepalive_cnt = 5;
  options.tcp_keepalive_idle = 61;
  options.tcp_keepalive_intvl = 7;
  options.sndbuf = 65536;
  options.rcvbuf = 65536;
  options.tos = 0x10;
  const listening at = listen_at("tcp://127.0.0.1:*", options);
  const connection both = meet(at, at.endpoint, options);
  for (const int fd : {both.client.get(), both.server.get()}) {
    CHECK(option(fd, IPPROTO_TCP, TCP_NODELAY) != 0);
    CHECK(option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(fd, IPPROTO_TCP, TCP_KEEPCNT) == 5);
    CHECK(option(fd, IPPROTO_TCP, TCP_KEEPIDLE) == 61);
    CHECK(option(fd, IPPROTO_TCP, TCP_KEEPINTVL) == 7);
    CHECK(option(fd, SOL_SOCKET, SO_SNDBUF) == 2 * 65536);  // the kernel doubles it
    CHECK(option(fd, SOL_SOCKET, SO_RCVBUF) == 2 * 65536);
    CHECK(option(fd, IPPROTO_IP, IP_TOS) == 0x10);
    CHECK(peer_address(fd) == "127.0.0.1");
    CHECK(max_segment_bytes(fd) > 500);
  }
}

TEST_CASE("tcp: what binding refuses") {
  const listening at = listen_at("tcp://127.0.0.1:*");
  CHECK(listen_error(at.endpoint) == EADDRINUSE);
  CHECK(listen_error("tcp://192.0.2.1:*") == EADDRNOTAVAIL);
  CHECK(listen_error("tcp://no-such-interface0:*") == ENODEV);
  CHECK(listen_error("inproc://name") == EINVAL);
}

TEST_CASE("tcp: a port is free again when its listener is gone, connections or not") {
  listening at = listen_at("tcp://127.0.0.1:*");
  const connection both = meet(at, at.endpoint);
  at.fd.reset();
  const listening again = listen_at(at.endpoint);
  CHECK(again.endpoint == at.endpoint);
}

TEST_CASE("tcp: nobody is listening") {
  listening at = listen_at("tcp://127.0.0.1:*");
  at.fd.reset();
  result<connecting> attempt = connect_to(endpoint(at.endpoint, false), {});
  if (attempt) {
    REQUIRE(attempt.value().in_progress);
    wait_for(attempt.value().fd.get(), POLLOUT);
    CHECK(connect_finished(attempt.value().fd.get()).error() == ECONNREFUSED);
    CHECK(peer_address(attempt.value().fd.get()).empty());
  } else {
    CHECK(attempt.error() == ECONNREFUSED);
  }
}

TEST_CASE("tcp: a connection to itself is none") {
  listening at = listen_at("tcp://127.0.0.1:*");
  const std::string port = std::to_string(port_in(at.endpoint));
  at.fd.reset();
  const std::string self = "tcp://127.0.0.1:" + port + ";127.0.0.1:" + port;
  result<connecting> attempt = connect_to(endpoint(self, false), {});
  if (attempt) {
    wait_for(attempt.value().fd.get(), POLLOUT);
    CHECK(connect_finished(attempt.value().fd.get()).error() == ECONNREFUSED);
  } else {
    CHECK(attempt.error() == ECONNREFUSED);
  }
}

TEST_CASE("tcp: a source address is used") {
  const listening at = listen_at("tcp://127.0.0.1:*");
  const std::string target = "127.0.0.1:" + std::to_string(port_in(at.endpoint));
  const connection both = meet(at, "tcp://127.0.0.2:*;" + target);
  CHECK(peer_address(both.server.get()) == "127.0.0.2");
  check_exchange(meet(at, "tcp://*:0;" + target));
  const auto foreign = connect_to(endpoint("tcp://192.0.2.1:*;" + target, false), {});
  CHECK(foreign.error() == EADDRNOTAVAIL);
}

TEST_CASE("tcp: an unknown host is found out when connecting") {
  CHECK(connect_to(endpoint("tcp://no-such-host.invalid:1", false), {}).error() == EHOSTUNREACH);
}

TEST_CASE("accepting without anybody waiting is EAGAIN") {
  const listening tcp = listen_at("tcp://127.0.0.1:*");
  CHECK(accept_from(tcp.fd.get(), scheme::tcp, {}).error() == EAGAIN);
  const listening ipc = listen_at("ipc://*");
  CHECK(accept_from(ipc.fd.get(), scheme::ipc, {}).error() == EAGAIN);
  remove_socket_file(ipc.unlink_path, ipc.unlink_dir);
}

TEST_CASE("accepting a peer that has left, politely or not, is no error of the listener") {
  const listening at = listen_at("tcp://127.0.0.1:*");
  {
    const unique_fd gone = connect_at(at.endpoint);
    const linger abort{1, 0};
    ::setsockopt(gone.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  }
  const result<unique_fd> accepted = accept_from(at.fd.get(), scheme::tcp, {});
  const bool expected = accepted || accepted.error() == EAGAIN;
  CHECK(expected);
  check_exchange(meet(at, at.endpoint));
}

TEST_CASE("ipc: a path, which stays when the listener goes") {
  const scratch_directory scratch;
  const std::string text = "ipc://" + scratch.file("socket");
  {
    const listening at = listen_at(text);
    CHECK(at.endpoint == text);
    CHECK(at.unlink_path.empty());
    const connection both = meet(at, text);
    check_exchange(both);
    CHECK(peer_address(both.server.get()).empty());
    CHECK(max_segment_bytes(both.server.get()) == 0);
  }
  CHECK(::access(scratch.file("socket").c_str(), F_OK) == 0);
  CHECK(connect_to(endpoint(text, false), {}).error() == ECONNREFUSED);
  check_exchange(meet(listen_at(text), text));
}

TEST_CASE("ipc: a live socket file is taken over") {
  const scratch_directory scratch;
  const std::string text = "ipc://" + scratch.file("socket");
  const listening old = listen_at(text);
  const listening next = listen_at(text);
  check_exchange(meet(next, text));
  CHECK(accept_from(old.fd.get(), scheme::ipc, {}).error() == EAGAIN);
}

TEST_CASE("ipc: a file that is no socket is not removed") {
  const scratch_directory scratch;
  const std::string path = scratch.file("socket");
  {
    const unique_fd file(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  }
  CHECK(listen_error("ipc://" + path) == EADDRINUSE);
  CHECK(::access(path.c_str(), F_OK) == 0);
}

TEST_CASE("ipc: what is missing") {
  const scratch_directory scratch;
  CHECK(listen_error("ipc://" + scratch.file("no/socket")) == ENOENT);
  CHECK(connect_to(endpoint("ipc://" + scratch.file("socket"), false), {}).error() == ENOENT);
}

TEST_CASE("ipc: an abstract name has no file and is taken only once") {
  const std::string text = "ipc://@slk-test-" + std::to_string(::getpid());
  const listening at = listen_at(text);
  CHECK(at.endpoint == text);
  check_exchange(meet(at, text));
  CHECK(listen_error(text) == EADDRINUSE);
}

TEST_CASE("ipc: the wildcard makes private paths and they can be removed") {
  const listening one = listen_at("ipc://*");
  const listening two = listen_at("ipc://*");
  CHECK(one.endpoint != two.endpoint);
  CHECK(one.endpoint == "ipc://" + one.unlink_path);
  struct stat info{};
  REQUIRE(::stat(one.unlink_dir.c_str(), &info) == 0);
  CHECK((info.st_mode & 0077) == 0);
  check_exchange(meet(one, one.endpoint));
  for (const listening* at : {&one, &two}) {
    remove_socket_file(at->unlink_path, at->unlink_dir);
    CHECK(::access(at->unlink_dir.c_str(), F_OK) != 0);
  }
}

}  // namespace
}  // namespace slk
