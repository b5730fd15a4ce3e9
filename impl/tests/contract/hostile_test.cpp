// Peers that mean harm, or fail in ways that look like it: they lose their connection at most, and
// take nothing from the others.
#include <dirent.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "raw_peer.hpp"

namespace contract {

namespace {

// Many in a run that is meant for it: SLK_CONNECTS_AND_DROPS=10000.
const int connects_and_drops = [] {
  const char* const asked = std::getenv("SLK_CONNECTS_AND_DROPS");
  return asked != nullptr ? std::atoi(asked) : 400;
}();

std::string big_endian(std::uint64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(number >> shift);
  }
  return bytes;
}

// Header of a frame in its long form.
std::string long_header(std::uint64_t size, int flags = 0) {
  return static_cast<char>(flags | 2) + big_endian(size);
}

std::string repeated(std::string_view unit, std::size_t bytes) {
  std::string all;
  while (all.size() < bytes) {
    all += unit;
  }
  return all;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

struct memory {
  std::size_t asked_for = 0;  // bytes of address space
  std::size_t resident = 0;   // of them, bytes that were touched
};

// Always 0 where a sanitizer keeps what was freed, and shadows of it.
memory memory_bytes() {
  memory now;
  if (!is_sanitized) {
    std::ifstream statm("/proc/self/statm");
    statm >> now.asked_for >> now.resident;
    now.asked_for *= 4096;
    now.resident *= 4096;
  }
  return now;
}

std::size_t resident_bytes() {
  return memory_bytes().resident;
}

int entries_of(const char* folder) {
  int count = 0;
  DIR* const opened = ::opendir(folder);
  REQUIRE(opened != nullptr);
  while (::readdir(opened) != nullptr) {
    ++count;
  }
  ::closedir(opened);
  return count;
}

// Sends the same bytes over and over, reading nothing, until it is told to stop or is dropped.
class flooder {
 public:
  flooder(raw_peer peer, std::string_view unit)
      : peer_(std::move(peer)), bytes_(repeated(unit, 256 * 1024)) {
    thread_ = std::thread([this] { run(); });
  }
  ~flooder() {
    stop_ = true;
    thread_.join();
  }
  flooder(const flooder&) = delete;
  flooder& operator=(const flooder&) = delete;

  std::size_t sent_bytes() const { return sent_bytes_; }

 private:
  void run() {
    while (!stop_) {
      pollfd item{peer_.fd(), POLLOUT, 0};
      ::poll(&item, 1, 10);
      const ssize_t sent =
          ::send(peer_.fd(), bytes_.data(), bytes_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0 && errno != EAGAIN) {
        return;
      }
      // A unit that was cut off goes on where it stopped.
      if (sent > 0) {
        const auto count = static_cast<std::size_t>(sent);
        std::rotate(bytes_.begin(), bytes_.begin() + sent, bytes_.end());
        sent_bytes_ += count;
      }
    }
  }

  raw_peer peer_;
  std::string bytes_;
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> sent_bytes_{0};
  std::thread thread_;
};

// A well-behaved peer of a ROUTER that echoes, in the ROUTER's own thread.
class bystander {
 public:
  bystander(context& ctx, socket& router, const std::string& endpoint)
      : router_(router), dealer_(ctx, SLK_DEALER) {
    dealer_.connect(endpoint);
    exchange();
  }

  // There and back.
  void exchange() {
    dealer_.send("ping");
    const auto end = clock::now() + deadline;
    for (;;) {
      REQUIRE(clock::now() < end);
      const std::optional<std::string> name = router_.try_recv();
      if (!name) {
        continue;
      }
      const std::optional<std::string> body = router_.try_recv();
      if (body == "ping") {
        router_.send(*name, SLK_SNDMORE);
        router_.send("pong");
        break;
      }
      while (router_.get(SLK_RCVMORE) != 0) {
        router_.recv();
      }
    }
    REQUIRE(dealer_.recv() == "pong");
  }

  struct times {
    clock::duration fastest;
    clock::duration median;
  };
  times times_of(std::size_t exchanges) {
    std::vector<clock::duration> took;
    while (took.size() < exchanges) {
      const auto start = clock::now();
      exchange();
      took.push_back(clock::now() - start);
    }
    std::sort(took.begin(), took.end());
    return {took.front(), took[exchanges / 2]};
  }

 private:
  socket& router_;
  socket dealer_;
};

std::string ping(int ttl) {
  return std::string("\4\7\4PING\0", 8) + static_cast<char>(ttl);
}

}  // namespace

TEST_CASE("hostile: a flood of whatever kind does not keep the others waiting") {
  struct kind {
    const char* name;
    std::string unit;
  };
  for (const kind& one : {kind{"PING", ping(0)},
                          {"PINGs that differ", ping(1) + ping(2)},
                          {"unknown command", std::string("\4\4\3ABC", 6)},
                          {"messages", frame("x")},
                          {"large messages", long_header(300'000) + std::string(300'000, 'x')}}) {
    CAPTURE(one.name);
    context ctx;
    socket router(ctx, SLK_ROUTER);
    const std::string endpoint = router.bind(tcp::wildcard());
    bystander other(ctx, router, endpoint);
    raw_peer peer = raw_connect(endpoint);
    peer.shake_hands("DEALER");
    const flooder flood(std::move(peer), one.unit);
    REQUIRE(eventually([&] { return flood.sent_bytes() > 100'000; }));
    const auto [fastest, median] = other.times_of(50);
    const auto ms = [](clock::duration time) {
      return std::chrono::duration<double, std::milli>(time).count();
    };
    MESSAGE(std::string(one.name) << ": at best " << ms(fastest) << " ms, usually " << ms(median));
    // A library that lets others wait for the flood does so each time. A machine that is busy
    // otherwise may hold up most of them, but not all.
    CHECK(fastest < (is_sanitized ? 100ms : 20ms));
    CHECK(median < 500ms);
    CHECK(flood.sent_bytes() > 0);
  }
}

TEST_CASE("hostile: a flood does not hold up a call beyond its time") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  pull.set(SLK_RCVTIMEO, 50);
  raw_peer peer = raw_connect(pull.bind(tcp::wildcard()));
  peer.shake_hands("PUSH");
  const flooder flood(std::move(peer), ping(0));
  REQUIRE(eventually([&] { return flood.sent_bytes() > 1'000'000; }));
  for (int i = 0; i < 3; ++i) {
    const auto start = clock::now();
    CHECK_FALSE(pull.recv());
    CHECK(clock::now() - start < deadline);
  }
}

TEST_CASE("hostile: who floods a socket that only sends does not keep it from sending") {
  context ctx;
  socket push(ctx, SLK_PUSH);
  const std::string endpoint = push.bind(tcp::wildcard());
  raw_peer peer = raw_connect(endpoint);
  peer.shake_hands("PULL");
  const flooder flood(std::move(peer), frame("x") + ping(0));
  REQUIRE(eventually([&] { return flood.sent_bytes() > 1'000'000; }));
  // Only the I/O thread can let the next one in.
  socket pull(ctx, SLK_PULL);
  pull.connect(endpoint);
  REQUIRE(eventually([&] {
    push.try_send("for whom it may concern");
    return pull.try_recv().has_value();
  }));
}

TEST_CASE("hostile: who floods a socket that closes does not hold up the others") {
  context ctx;
  socket other(ctx, SLK_PULL);
  {
    socket pair(ctx, SLK_PAIR);
    pair.set(SLK_LINGER, -1);
    raw_peer peer = raw_connect(pair.bind(tcp::wildcard()));
    peer.shake_hands("PAIR");
    pair.send_message({"so that there is something to acknowledge"});
    const flooder flood(std::move(peer), frame("x"));
    REQUIRE(eventually([&] { return flood.sent_bytes() > 1'000'000; }));
    pair.close();
    const raw_peer next = raw_connect(other.bind(tcp::wildcard()));
    next.shake_hands("PUSH");
    next.write(frame("heard"));
    CHECK(other.recv() == "heard");
  }
}

TEST_CASE("hostile: announced bytes cost no memory before they come") {
  context ctx;
  socket pull(ctx, SLK_PULL);
  const std::string endpoint = pull.bind(tcp::wildcard());
  std::vector<raw_peer> peers;
  const memory before = memory_bytes();
  for (int i = 0; i < 20; ++i) {
    peers.push_back(raw_connect(endpoint));
    peers.back().shake_hands("PUSH");
    peers.back().write(long_header(1'000'000'000) + "a beginning");
  }
  CHECK(remains([&] { return !pull.can_recv(); }));
  const memory now = memory_bytes();
  CHECK(now.resident < before.resident + 50'000'000);
  CHECK(now.asked_for < before.asked_for + 500'000'000);
}

TEST_CASE("hostile: a peer above MAXMSGSIZE goes, and only that one") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::int64_t limit = 1000;
  REQUIRE(slk_setsockopt(router.raw(), SLK_MAXMSGSIZE, &limit, sizeof limit) == 0);
  const std::string endpoint = router.bind(tcp::wildcard());
  bystander other(ctx, router, endpoint);
  for (const std::string& bytes : {long_header(1001), long_header((std::uint64_t{1} << 63) - 1, 1),
                                   long_header(~std::uint64_t{0}),
                                   frame("part", true) + long_header(std::uint64_t{1} << 63)}) {
    const raw_peer peer = raw_connect(endpoint);
    peer.shake_hands("DEALER");
    peer.write(bytes);
    other.exchange();
    CHECK_FALSE(router.can_recv());
    CHECK(peer.is_closed());
    other.exchange();
  }
}

TEST_CASE("hostile: a peer that never reads costs its high water mark, and nobody else") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  router.set(SLK_SNDHWM, 100).set(SLK_ROUTER_MANDATORY, 1).set(SLK_SNDBUF, 20'000);
  const std::string endpoint = router.bind(tcp::wildcard());
  bystander other(ctx, router, endpoint);
  const raw_peer deaf = raw_connect(endpoint);
  deaf.shake_hands("DEALER");
  deaf.write(frame("here I am"));
  const std::string name = router.recv().value();
  REQUIRE(router.recv() == "here I am");
  const std::string large(50'000, 'x');
  const std::size_t before = resident_bytes();
  int taken = 0;
  while (slk_send_to(router.raw(), name.data(), name.size(), large.data(), large.size(),
                     SLK_DONTWAIT) > 0) {
    REQUIRE(++taken < 1000);
  }
  CHECK(errno == EAGAIN);
  CHECK(resident_bytes() < before + 100 * large.size() + 10'000'000);
  for (int i = 0; i < 20; ++i) {
    other.exchange();
  }
}

TEST_CASE("hostile: thousands of connects and drops leave nothing behind") {
  context ctx;
  socket router(ctx, SLK_ROUTER);
  const std::string endpoint = router.bind(tcp::wildcard());
  bystander other(ctx, router, endpoint);
  const auto come_and_go = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const raw_peer peer = raw_connect(endpoint);
      switch (i % 4) {
        case 0:
          break;
        case 1:
          peer.write("GET / HTTP/1.1");
          break;
        case 2:
          peer.write(raw_peer::greeting());
          break;
        default:
          peer.write(raw_peer::greeting() + raw_peer::ready("DEALER") + frame("cut off", true));
          break;
      }
      if (i % 20 == 0) {
        other.exchange();
      }
    }
    other.exchange();
  };
  come_and_go(200);
  const int threads = entries_of("/proc/self/task");
  int descriptors = 0;
  REQUIRE(eventually([&] {
    const int now = entries_of("/proc/self/fd");
    return std::exchange(descriptors, now) == now;
  }));
  const std::size_t before = resident_bytes();
  come_and_go(connects_and_drops);
  CHECK(eventually([&] {
    other.exchange();
    return entries_of("/proc/self/fd") <= descriptors;
  }));
  CHECK(entries_of("/proc/self/task") == threads);
  CHECK(resident_bytes() < before + 20'000'000);
}

}  // namespace contract
