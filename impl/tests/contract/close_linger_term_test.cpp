// The end of sockets and contexts: nothing is lost that was promised, nothing hangs that was not.
#include <atomic>
#include <filesystem>
#include <future>
#include <iterator>

#include "fixture.hpp"

using namespace contract;

namespace {

// Terminates a context in another thread, so that a test can say what it waits for.
std::future<int> term_async(context& ctx) {
  return std::async(std::launch::async, [&ctx] {
    int result = 0;
    do {
      result = ctx.term();
    } while (result != 0 && errno == EINTR);
    return result;
  });
}

bool is_done(const std::future<int>& task, std::chrono::milliseconds limit = deadline) {
  return task.wait_for(limit) == std::future_status::ready;
}

}  // namespace

CONTRACT_OVER_ALL("term: with nothing queued it returns, whatever LINGER says") {
  context ctx;
  {
    socket pull(ctx, SLK_PULL);
    socket push(ctx, SLK_PUSH);
    pull.set(SLK_LINGER, -1);
    push.set(SLK_LINGER, -1);
    push.connect(pull.bind(Transport::wildcard()));
    push.connect(Transport::unbound());
  }
  CHECK(is_done(term_async(ctx)));
}

CONTRACT_OVER_STREAMS("linger -1: close returns at once, term waits until everything is sent") {
  context receiving;
  socket pull(receiving, SLK_PULL);
  const std::string endpoint = pull.bind(Transport::wildcard());
  context sending;
  socket push(sending, SLK_PUSH);
  push.set(SLK_LINGER, -1).set(SLK_SNDHWM, 0);
  push.connect(endpoint);
  const std::string body(10000, 'b');
  constexpr int many = 2000;
  REQUIRE(push.fill(body, many) == many);
  // Nobody reads meanwhile: a close that waited for it would wait for ever.
  auto closing = std::async(std::launch::async, [&push] { push.close(); });
  REQUIRE(closing.wait_for(deadline) == std::future_status::ready);
  const auto done = term_async(sending);
  for (int i = 0; i < many; ++i) {
    REQUIRE(pull.recv() == body);
  }
  CHECK(is_done(done));
}

CONTRACT_OVER_STREAMS("linger -1: term waits for a peer that comes late") {
  context sending;
  const std::string endpoint = Transport::unbound();
  {
    socket push(sending, SLK_PUSH);
    push.set(SLK_LINGER, -1);
    push.connect(endpoint);
    push.send_message({"a", "b"});
  }
  const auto done = term_async(sending);
  CHECK_FALSE(is_done(done, patience));
  context receiving;
  socket pull(receiving, SLK_PULL);
  pull.bind(endpoint);
  CHECK(pull.recv_message() == parts{"a", "b"});
  CHECK(is_done(done));
}

CONTRACT_OVER_STREAMS("linger 0: what is unsent is dropped") {
  context ctx;
  {
    socket push(ctx, SLK_PUSH);
    push.set(SLK_LINGER, 0);
    push.connect(Transport::unbound());
    push.fill("x", 100);
  }
  CHECK(is_done(term_async(ctx)));
}

CONTRACT_OVER_STREAMS("linger n: term gives up after n ms") {
  context ctx;
  auto start = clock::now();
  {
    socket push(ctx, SLK_PUSH);
    push.set(SLK_LINGER, 100);
    push.connect(Transport::unbound());
    push.send_message({"x"});
    start = clock::now();
  }
  CHECK(is_done(term_async(ctx)));
  CHECK(clock::now() - start >= 90ms);
}

CONTRACT_OVER_ALL("term: blocked and later calls fail with ETERM, term waits for the close") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  pull.set(SLK_RCVTIMEO, -1);
  pull.bind(Transport::wildcard());
  std::atomic<bool> told{false};
  std::atomic<bool> may_close{false};
  std::thread blocked([&] {
    CHECK_FALSE(pull.recv());
    CHECK(errno == ETERM);
    CHECK_FALSE(pull.recv(SLK_DONTWAIT));
    CHECK(errno == ETERM);
    const int linger = 0;
    CHECK(slk_setsockopt(pull.raw(), SLK_LINGER, &linger, sizeof linger) == -1);
    CHECK(errno == ETERM);
    CHECK(slk_bind(pull.raw(), Transport::unbound().c_str()) == -1);
    CHECK(errno == ETERM);
    slk_pollitem_t item{pull.raw(), 0, SLK_POLLIN, 0};
    CHECK(slk_poll(&item, 1, -1) == -1);
    CHECK(errno == ETERM);
    told = true;
    eventually([&] { return may_close.load(); });
    pull.close();
  });
  const auto done = term_async(ctx);
  CHECK(eventually([&] { return told.load(); }));
  CHECK_FALSE(is_done(done, patience));
  may_close = true;
  CHECK(is_done(done));
  blocked.join();
}

CONTRACT_OVER_ALL("term: wakes a blocked send and a blocked poll") {
  context ctx;
  std::vector<std::thread> threads;
  std::atomic<int> started{0};
  threads.emplace_back([&] {
    socket push(ctx, SLK_PUSH);
    push.set(SLK_SNDTIMEO, -1);
    push.bind(Transport::wildcard());
    ++started;
    CHECK(push.send("x") == -1);
    CHECK(errno == ETERM);
  });
  threads.emplace_back([&] {
    socket pull(ctx, SLK_PULL);
    pull.bind(Transport::wildcard());
    slk_pollitem_t item{pull.raw(), 0, SLK_POLLIN, 0};
    ++started;
    CHECK(slk_poll(&item, 1, -1) == -1);
    CHECK(errno == ETERM);
  });
  REQUIRE(eventually([&] { return started == 2; }));
  CHECK(is_done(term_async(ctx)));
  for (auto& thread : threads) {
    thread.join();
  }
}

TEST_CASE("shutdown: ends the use of sockets without waiting, and of making new ones") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  CHECK(slk_ctx_shutdown(ctx.raw()) == 0);
  CHECK(slk_ctx_shutdown(ctx.raw()) == 0);
  CHECK(eventually([&] { return !pull.recv(SLK_DONTWAIT) && errno == ETERM; }));
  CHECK(slk_socket(ctx.raw(), SLK_PULL) == nullptr);
  CHECK(errno == ETERM);
  pull.close();
  CHECK(is_done(term_async(ctx)));
}

TEST_CASE("term: an inproc connect that nobody ever bound does not hold it back") {
  context ctx;
  {
    socket push(ctx, SLK_PUSH);
    push.set(SLK_LINGER, -1);
    push.connect(inproc::unbound());
  }
  CHECK(is_done(term_async(ctx)));
}

TEST_CASE("inproc: what was queued before bind survives the close of the connecting socket") {
  context ctx;
  const std::string endpoint = inproc::unbound();
  {
    socket push(ctx, SLK_PUSH);
    push.set(SLK_LINGER, -1);
    push.connect(endpoint);
    push.send_message({"a", "b"});
    push.send_message({"c"});
  }
  socket pull(ctx, SLK_PULL);
  pull.bind(endpoint);
  CHECK(pull.recv_message() == parts{"a", "b"});
  CHECK(pull.recv_message() == parts{"c"});
}

// The writer's kernel buffer is full of messages when it closes, and the reader stands at its
// high-water mark: the end of the connection must not overtake what is still in the kernel.
template <typename Transport>
void lingering_outlives_a_full_reader() {
  context receiving;
  socket pull(receiving, SLK_PULL);
  pull.set(SLK_RCVHWM, 2);
  const std::string endpoint = pull.bind(Transport::wildcard());
  context sending;
  const std::string body(2000, 'b');
  constexpr int many = 50;
  {
    socket push(sending, SLK_PUSH);
    push.set(SLK_LINGER, -1);
    push.connect(endpoint);
    for (int i = 0; i < many; ++i) {
      push.send_message({std::to_string(i), body});
    }
  }
  CHECK(is_done(term_async(sending)));
  for (int i = 0; i < many; ++i) {
    const parts message = pull.recv_message();
    REQUIRE(message.size() == 2);
    CHECK(message[0] == std::to_string(i));
  }
}

TEST_CASE("linger: tcp messages outlive their writer while the reader is full") {
  lingering_outlives_a_full_reader<tcp>();
}

TEST_CASE("linger: [strict] ipc messages outlive their writer while the reader is full") {
  lingering_outlives_a_full_reader<ipc>();
}

// A peer that reads nothing for longer than the library takes an application for silent (0.5 s): of
// two writers one keeps still, one has closed, and the tail of both goes out when there is room.
CONTRACT_OVER_STREAMS("linger: what waits for room goes out, however long that takes") {
  context receiving;
  socket from_still(receiving, SLK_DEALER);
  socket from_closed(receiving, SLK_DEALER);
  from_still.set(SLK_RCVBUF, 65536);
  from_closed.set(SLK_RCVBUF, 65536);
  context sending;
  socket still(sending, SLK_DEALER);
  socket closed(sending, SLK_DEALER);
  const std::string body(10000, 'b');
  constexpr int many = 300;
  for (auto [writer, reader] : {std::pair{&still, &from_still}, {&closed, &from_closed}}) {
    writer->set(SLK_LINGER, -1).set(SLK_SNDHWM, 0).set(SLK_SNDBUF, 65536);
    writer->connect(reader->bind(Transport::wildcard()));
    REQUIRE(writer->fill(body, many) == many);
    REQUIRE(reader->recv() == body);  // they are connected
  }
  closed.close();
  std::this_thread::sleep_for(700ms);
  for (socket* reader : {&from_still, &from_closed}) {
    int received = 1;
    while (received < many && reader->wait(SLK_POLLIN)) {
      received += reader->drain();
    }
    CHECK(received == many);
  }
}

CONTRACT_OVER_ALL("close: the address can be bound again soon") {
  context ctx;
  std::string endpoint;
  {
    socket pull(ctx, SLK_PULL);
    endpoint = pull.bind(Transport::wildcard());
  }
  socket next(ctx, SLK_PULL);
  CHECK(eventually([&] { return slk_bind(next.raw(), endpoint.c_str()) == 0; }));
  socket push(ctx, SLK_PUSH);
  push.connect(endpoint);
  push.send_message({"x"});
  CHECK(next.recv() == "x");
}

TEST_CASE("close: a socket that waited for an inproc name leaves nothing behind but its messages") {
  const auto open_descriptors = [] {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return std::distance(begin(all), end(all));
  };
  context ctx;
  socket first(ctx, SLK_PUSH);  // the context's threads are running
  const auto before = open_descriptors();
  const std::string name = inproc::unbound();
  for (int i = 0; i < 50; ++i) {
    socket push(ctx, SLK_PUSH);
    push.set(SLK_LINGER, -1);
    push.connect(i % 2 == 0 ? name : inproc::unbound());
    if (i == 20) {
      push.send_message({"kept"});
    }
  }
  CHECK(eventually([&] { return open_descriptors() <= before; }));
  socket pull(ctx, SLK_PULL);
  pull.bind(name);
  CHECK(pull.recv() == "kept");
  CHECK(remains([&] { return !pull.can_recv(); }));
}

TEST_CASE("contexts: many of them, made and ended, with sockets in use") {
  for (int i = 0; i < 50; ++i) {
    context ctx;
    socket pull(ctx, SLK_PULL);
    socket push(ctx, SLK_PUSH);
    push.connect(pull.bind(i % 2 == 0 ? tcp::wildcard() : inproc::wildcard()));
    push.send_message({"x"});
    CHECK(pull.recv() == "x");
    push.close();
    pull.close();
    REQUIRE(ctx.term() == 0);
  }
}
