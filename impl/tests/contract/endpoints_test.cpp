// Endpoints: how they are written, what is refused, and what unbind and disconnect do.
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.hpp"

using namespace contract;

namespace {

// The errno of a bind or connect that must fail.
int bind_error(socket& s, const std::string& endpoint) {
  errno = 0;
  const int result = slk_bind(s.raw(), endpoint.c_str());
  const int error = errno;
  CAPTURE(endpoint);
  CHECK(result == -1);
  return error;
}

int connect_error(socket& s, const std::string& endpoint) {
  errno = 0;
  const int result = slk_connect(s.raw(), endpoint.c_str());
  const int error = errno;
  CAPTURE(endpoint);
  CHECK(result == -1);
  return error;
}

bool starts_with(const std::string& text, std::string_view prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

bool exists(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0;
}

}  // namespace

TEST_CASE("LAST_ENDPOINT: resolved after bind, as given after connect") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  CHECK(pull.last_endpoint().empty());
  const std::string any = pull.bind("tcp://*:*");
  CHECK(starts_with(any, "tcp://0.0.0.0:"));
  CHECK(any != "tcp://0.0.0.0:0");
  CHECK(starts_with(pull.bind("tcp://127.0.0.1:0"), "tcp://127.0.0.1:"));
  CHECK(starts_with(pull.bind("tcp://localhost:*"), "tcp://127.0.0.1:"));
  const std::string fresh = pull.bind("ipc://*");
  CHECK(starts_with(fresh, "ipc://"));
  CHECK(fresh != "ipc://*");
  const std::string path = ipc::unbound();
  CHECK(pull.bind(path) == path);
  CHECK(pull.bind("inproc://last endpoint") == "inproc://last endpoint");
  pull.connect("tcp://127.0.0.1:9");
  CHECK(pull.last_endpoint() == "tcp://127.0.0.1:9");
}

TEST_CASE("endpoints: malformed ones are EINVAL") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  for (const char* endpoint : {"", "tcp", "tcp:", "tcp:/127.0.0.1:1", "://127.0.0.1:1", "tcp://",
                               "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:http"}) {
    CHECK(bind_error(pull, endpoint) == EINVAL);
    CHECK(connect_error(pull, endpoint) == EINVAL);
  }
  CHECK(connect_error(pull, "tcp://127.0.0.1:*") == EINVAL);
  CHECK(bind_error(pull, "nonsense://127.0.0.1:1") == EPROTONOSUPPORT);
  CHECK(connect_error(pull, "nonsense://127.0.0.1:1") == EPROTONOSUPPORT);
}

TEST_CASE("endpoints: [strict] a port above 65535, and connecting to port 0, is EINVAL") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  for (const char* endpoint :
       {"tcp://127.0.0.1:65536", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:99999999999999999999"}) {
    CHECK(bind_error(pull, endpoint) == EINVAL);
    CHECK(connect_error(pull, endpoint) == EINVAL);
  }
  CHECK(connect_error(pull, "tcp://127.0.0.1:0") == EINVAL);
}

CONTRACT_OVER_ALL("endpoints: one that is taken is EADDRINUSE; ipc takes over") {
  context ctx;
  socket first(ctx, SLK_PULL);
  const std::string endpoint = first.bind(Transport::wildcard());
  socket second(ctx, SLK_PULL);
  if (std::is_same_v<Transport, ipc>) {
    CHECK(second.bind(endpoint) == endpoint);
  } else {
    CHECK(bind_error(second, endpoint) == EADDRINUSE);
  }
}

TEST_CASE("endpoints: errors of the system are passed on") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  CHECK(bind_error(pull, "tcp://192.0.2.1:*") == EADDRNOTAVAIL);
  CHECK(bind_error(pull, "ipc:///no/such/directory/socket") == ENOENT);
  const std::string too_long = "ipc:///tmp/" + std::string(120, 'x');
  CHECK(bind_error(pull, too_long) == ENAMETOOLONG);
  CHECK(connect_error(pull, too_long) == ENAMETOOLONG);
}

TEST_CASE("endpoints: a host that cannot be resolved is tried in the background") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  CHECK(slk_connect(push.raw(), "tcp://no-such-host.invalid:5555") == 0);
  CHECK(push.try_send("x"));
}

TEST_CASE("endpoints: names are resolved, IPv6 needs its option") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(tcp::wildcard());
  socket push(ctx, SLK_PUSH);
  push.connect("tcp://localhost:" + endpoint.substr(endpoint.rfind(':') + 1));
  push.send_message({"by name"});
  CHECK(pull.recv() == "by name");

  socket pull6(ctx, SLK_PULL);
  pull6.set(SLK_IPV6, 1);
  if (slk_bind(pull6.raw(), "tcp://[::1]:*") != 0) {
    MESSAGE("no IPv6 here: not tested");
    return;
  }
  const std::string endpoint6 = pull6.last_endpoint();
  CHECK(starts_with(endpoint6, "tcp://[::1]:"));
  socket push6(ctx, SLK_PUSH);
  push6.set(SLK_IPV6, 1);
  push6.connect(endpoint6);
  push6.send_message({"six"});
  CHECK(pull6.recv() == "six");
}

TEST_CASE("ipc: a stale file is replaced, an explicit path stays, abstract names leave no file") {
  context ctx;
  const std::string path = fresh_path();
  {
    context gone;
    socket pull(gone, SLK_PULL);
    pull.bind("ipc://" + path);
  }
  REQUIRE(exists(path));  // stale now: a socket file that nobody listens on
  {
    socket pull(ctx, SLK_PULL);
    pull.bind("ipc://" + path);
    socket push(ctx, SLK_PUSH);
    push.connect("ipc://" + path);
    push.send_message({"x"});
    CHECK(pull.recv() == "x");
  }
  CHECK(exists(path));

  const std::string abstract = "ipc://@slk-contract-" + std::to_string(getpid());
  socket pull(ctx, SLK_PULL);
  CHECK(pull.bind(abstract) == abstract);
  socket push(ctx, SLK_PUSH);
  push.connect(abstract);
  push.send_message({"abstract"});
  CHECK(pull.recv() == "abstract");
}

TEST_CASE("ipc: a wildcard path is removed again") {
  context ctx;
  std::string path;
  {
    socket pull(ctx, SLK_PULL);
    path = pull.bind("ipc://*").substr(6);
    CHECK(exists(path));
    socket push(ctx, SLK_PUSH);
    push.connect("ipc://" + path);
    push.send_message({"x"});
    CHECK(pull.recv() == "x");
  }
  CHECK(eventually([&] { return !exists(path); }));
}

TEST_CASE("inproc: names belong to their context") {
  context one;
  context other;
  socket first(one, SLK_PULL);
  socket second(other, SLK_PULL);
  first.bind("inproc://same");
  second.bind("inproc://same");
  socket push(other, SLK_PUSH);
  push.connect("inproc://same");
  push.send_message({"x"});
  CHECK(second.recv() == "x");
  CHECK_FALSE(first.can_recv());
}

TEST_CASE("inproc: any number may connect before the bind") {
  context ctx;
  const std::string endpoint = inproc::unbound();
  std::vector<socket> pushes;
  for (int i = 0; i < 10; ++i) {
    pushes.emplace_back(ctx, SLK_PUSH);
    pushes.back().connect(endpoint);
    pushes.back().send_message({"x"});
  }
  socket pull(ctx, SLK_PULL);
  pull.bind(endpoint);
  for (int i = 0; i < 10; ++i) {
    CHECK(pull.recv() == "x");
  }
}

CONTRACT_OVER_ALL("several binds and connects on one socket") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string one = pull.bind(Transport::wildcard());
  const std::string two = pull.bind(Transport::wildcard());
  socket bound_push(ctx, SLK_PUSH);
  pull.connect(bound_push.bind(Transport::wildcard()));
  socket push_one(ctx, SLK_PUSH);
  socket push_two(ctx, SLK_PUSH);
  push_one.connect(one);
  push_two.connect(two);
  for (auto* push : {&push_one, &push_two, &bound_push}) {
    push->send_message({"x"});
    CHECK(pull.recv() == "x");
  }
}

CONTRACT_OVER_ALL("unbind and disconnect: an unknown endpoint is ENOENT") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string unknown = Transport::unbound();
  CHECK(slk_unbind(pull.raw(), unknown.c_str()) == -1);
  CHECK(errno == ENOENT);
  CHECK(slk_disconnect(pull.raw(), unknown.c_str()) == -1);
  CHECK(errno == ENOENT);
  const std::string bound = pull.bind(Transport::wildcard());
  CHECK(slk_unbind(pull.raw(), bound.c_str()) == 0);
  CHECK(slk_unbind(pull.raw(), bound.c_str()) == -1);
  CHECK(errno == ENOENT);
}

CONTRACT_OVER_ALL("unbind: the address can be bound by another socket") {
  context ctx;
  socket first(ctx, SLK_PULL);
  const std::string endpoint = first.bind(Transport::wildcard());
  REQUIRE(slk_unbind(first.raw(), endpoint.c_str()) == 0);
  socket second(ctx, SLK_PULL);
  CHECK(eventually([&] { return slk_bind(second.raw(), endpoint.c_str()) == 0; }));
}

CONTRACT_OVER_STREAMS("unbind: ends accepted connections, keeps what was received") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  socket push(ctx, SLK_PUSH);
  push.set(SLK_IMMEDIATE, 1);
  push.connect(endpoint);
  push.send_message({"received"});
  REQUIRE(pull.wait(SLK_POLLIN));
  REQUIRE(slk_unbind(pull.raw(), endpoint.c_str()) == 0);
  CHECK(pull.recv() == "received");
  // With IMMEDIATE a sender without a connection cannot send.
  CHECK(eventually([&] {
    CHECK_FALSE(pull.can_recv());
    return !push.can_send();
  }));
}

TEST_CASE("unbind: inproc only frees the name") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(inproc::wildcard());
  socket push(ctx, SLK_PUSH);
  push.connect(endpoint);
  REQUIRE(slk_unbind(pull.raw(), endpoint.c_str()) == 0);
  push.send_message({"still"});
  CHECK(pull.recv() == "still");
}

CONTRACT_OVER_ALL("disconnect: what is queued still goes out, and nothing after") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  socket push(ctx, SLK_PUSH);
  push.set(SLK_LINGER, -1);
  push.connect(endpoint);
  for (int i = 0; i < 100; ++i) {
    push.send_message({std::to_string(i)});
  }
  REQUIRE(slk_disconnect(push.raw(), endpoint.c_str()) == 0);
  CHECK_FALSE(push.try_send("late"));
  for (int i = 0; i < 100; ++i) {
    CHECK(pull.recv() == std::to_string(i));
  }
  CHECK(remains([&] { return !pull.can_recv(); }));
  push.connect(endpoint);
  push.send_message({"again"});
  CHECK(pull.recv() == "again");
}

CONTRACT_OVER_ALL("disconnect: what was received and not read is dropped") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  const std::string endpoint = push.bind(Transport::wildcard());
  socket pull(ctx, SLK_PULL);
  pull.connect(endpoint);
  push.send_message({"unread"});
  REQUIRE(pull.wait(SLK_POLLIN));
  REQUIRE(slk_disconnect(pull.raw(), endpoint.c_str()) == 0);
  CHECK(eventually([&] { return !pull.can_recv(); }));
}

CONTRACT_OVER_STREAMS("disconnect: one call ends all connections to the endpoint") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  socket push(ctx, SLK_PUSH);
  push.connect(endpoint);
  push.connect(endpoint);
  push.send_message({"x"});
  push.send_message({"x"});
  CHECK(pull.recv() == "x");
  CHECK(pull.recv() == "x");
  CHECK(slk_disconnect(push.raw(), endpoint.c_str()) == 0);
  CHECK_FALSE(push.try_send("x"));
  CHECK(slk_disconnect(push.raw(), endpoint.c_str()) == -1);
  CHECK(errno == ENOENT);
}

TEST_CASE("sockets: MAX_SOCKETS is kept, and room comes back") {
  context ctx;
  REQUIRE(slk_ctx_set(ctx.raw(), SLK_MAX_SOCKETS, 3) == 0);
  std::vector<socket> sockets;
  for (int i = 0; i < 3; ++i) {
    sockets.emplace_back(ctx, SLK_PULL);
  }
  CHECK(slk_socket(ctx.raw(), SLK_PULL) == nullptr);
  CHECK(errno == EMFILE);
  sockets.pop_back();
  void* again = nullptr;
  CHECK(eventually([&] { return (again = slk_socket(ctx.raw(), SLK_PULL)) != nullptr; }));
  CHECK(slk_close(again) == 0);
}
