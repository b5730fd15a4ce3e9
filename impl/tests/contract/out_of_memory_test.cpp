// Every allocation that a conversation needs fails once, of the library and of what it calls: each
// time the calls say ENOMEM at most, the connection is made again if it has to be, and everything
// can be closed.
#include <doctest/doctest.h>
#include <serverlink/serverlink.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <new>
#include <string>

namespace {

// How many allocations are left until one fails; 0 and below: none does any more.
std::atomic<long> until_failure{0};

bool fails_now() noexcept {
  return until_failure.load(std::memory_order_relaxed) > 0 && until_failure.fetch_sub(1) == 1;
}

}  // namespace

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// malloc is the sanitizer's.
void* operator new(std::size_t size) {
  void* memory = fails_now() ? nullptr : std::malloc(size);
  return memory != nullptr ? memory : throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
#else
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

static bool refused() noexcept {
  if (!fails_now()) {
    return false;
  }
  errno = ENOMEM;
  return true;
}
void* malloc(std::size_t size) {
  return refused() ? nullptr : __libc_malloc(size);
}
void* calloc(std::size_t count, std::size_t size) {
  return refused() ? nullptr : __libc_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) {
  return refused() ? nullptr : __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return refused() ? nullptr : __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  void* const made = refused() ? nullptr : __libc_memalign(alignment, size);
  if (made == nullptr) {
    return ENOMEM;
  }
  *memory = made;
  return 0;
}
}
#endif

namespace {

using clock_type = std::chrono::steady_clock;

// Calls until the outcome is another than ENOMEM, which one failure can cause a few times at most.
template <typename Call>
auto patiently(Call call) {
  auto result = call();
  for (int i = 0; i < 3 && (result == decltype(result){} - 1) && errno == ENOMEM; ++i) {
    result = call();
  }
  return result;
}

void* until_made(auto make) {
  void* made = make();
  for (int i = 0; i < 3 && made == nullptr && (errno == ENOMEM || errno == EAGAIN); ++i) {
    made = make();
  }
  return made;
}

struct key_pair {
  std::array<char, 41> open{};
  std::array<char, 41> secret{};
};

const char* set_key(void* socket, int option, const std::array<char, 41>& key) {
  return patiently([&] { return slk_setsockopt(socket, option, key.data(), 40); }) == 0
             ? nullptr
             : "setsockopt of a key";
}

const char* set(void* socket, int option, int value) {
  return patiently([&] { return slk_setsockopt(socket, option, &value, sizeof value); }) == 0
             ? nullptr
             : "setsockopt";
}

// Three parts, of which one is large, from one socket to the other; with the name in front if the
// receiver is a ROUTER. How many messages it takes is open: a connection may be lost with some.
const char* converse(void* from, void* to) {
  static const std::string large(200'000, 'x');
  const auto end = clock_type::now() + std::chrono::seconds(10);
  while (clock_type::now() < end) {
    if (slk_send(from, "a", 1, SLK_DONTWAIT | SLK_SNDMORE) == 1) {
      for (const auto& [data, flags] : {std::pair{&large, SLK_SNDMORE}, {&large, 0}}) {
        if (patiently([&] { return slk_send(from, data->data(), data->size(), flags); }) < 0) {
          return "send of a part";
        }
      }
    } else if (errno != EAGAIN && errno != ENOMEM) {
      return "send";
    }
    slk_msg_t part;
    slk_msg_init(&part);
    int outcome = 0;
    do {
      outcome = patiently([&] { return slk_msg_recv(&part, to, 0); });
    } while (outcome >= 0 && slk_msg_more(&part) != 0);
    const int error = errno;
    slk_msg_close(&part);
    if (outcome == static_cast<int>(large.size())) {
      return nullptr;
    }
    if (outcome >= 0) {
      return "a message in part";
    }
    if (error != EAGAIN && error != ENOMEM) {
      return "receive";
    }
  }
  return "no message came through";
}

// The receiver lets in the sender alone, by keys.
const char* secure(void* from, void* to) {
  static const std::array<key_pair, 2> keys = [] {
    std::array<key_pair, 2> made;
    for (key_pair& one : made) {
      slk_curve_keypair(one.open.data(), one.secret.data());
    }
    return made;
  }();
  const auto& [client, server] = keys;
  const char* wrong = set_key(to, SLK_CURVE_SECRETKEY, server.secret);
  wrong = wrong != nullptr ? wrong : set_key(to, SLK_CURVE_ALLOW, client.open);
  wrong = wrong != nullptr ? wrong : set(to, SLK_CURVE_SERVER, 1);
  wrong = wrong != nullptr ? wrong : set_key(from, SLK_CURVE_PUBLICKEY, client.open);
  wrong = wrong != nullptr ? wrong : set_key(from, SLK_CURVE_SECRETKEY, client.secret);
  return wrong != nullptr ? wrong : set_key(from, SLK_CURVE_SERVERKEY, server.open);
}

enum class extra { none, monitor, curve };

// What went wrong, or nullptr.
const char* scenario(const char* endpoint, int from_type, int to_type, extra with) {
  void* ctx = until_made(slk_ctx_new);
  if (ctx == nullptr) {
    return "context";
  }
  void* from = until_made([&] { return slk_socket(ctx, from_type); });
  void* to = until_made([&] { return slk_socket(ctx, to_type); });
  if (from == nullptr || to == nullptr) {
    return "socket";
  }
  const char* wrong = nullptr;
  for (void* one : {from, to}) {
    wrong = wrong != nullptr ? wrong : set(one, SLK_LINGER, 0);
    wrong = wrong != nullptr ? wrong : set(one, SLK_RECONNECT_IVL, 1);
    wrong = wrong != nullptr ? wrong : set(one, SLK_RCVTIMEO, 1);
    wrong = wrong != nullptr ? wrong : set(one, SLK_SNDTIMEO, 1000);
  }
  if (wrong == nullptr && with == extra::curve) {
    wrong = secure(from, to);
  }
  if (wrong == nullptr && with == extra::monitor &&
      patiently([&] { return slk_socket_monitor(to, "inproc://told", SLK_EVENT_ALL); }) != 0) {
    wrong = "monitor";
  }
  char bound[256];
  std::size_t length = sizeof bound;
  if (patiently([&] { return slk_bind(to, endpoint); }) != 0) {
    wrong = "bind";
  } else if (slk_getsockopt(to, SLK_LAST_ENDPOINT, bound, &length) != 0) {
    wrong = "getsockopt";
  } else if (patiently([&] { return slk_connect(from, bound); }) != 0) {
    wrong = "connect";
  }
  wrong = wrong != nullptr ? wrong : converse(from, to);
  wrong = slk_close(from) == 0 && slk_close(to) == 0 ? wrong : "close";
  while (slk_ctx_term(ctx) != 0) {
    if (errno != EINTR && errno != ENOMEM) {
      return "term";
    }
  }
  return wrong;
}

}  // namespace

TEST_CASE("out of memory: any single allocation may fail, and nothing breaks") {
  struct pair {
    const char* endpoint;
    int from;
    int to;
    extra with = extra::none;
  };
  for (const pair& one : {pair{"tcp://127.0.0.1:*", SLK_PUSH, SLK_PULL},
                          {"ipc://*", SLK_DEALER, SLK_ROUTER},
                          {"inproc://memory", SLK_DEALER, SLK_ROUTER},
                          {"ipc://*", SLK_PUSH, SLK_PULL, extra::monitor},
                          {"tcp://127.0.0.1:*", SLK_DEALER, SLK_ROUTER, extra::curve}}) {
    if (one.with == extra::curve && slk_has("curve") == 0) {
      continue;
    }
    CAPTURE(std::string(one.endpoint));
    REQUIRE(scenario(one.endpoint, one.from, one.to, one.with) == nullptr);
    long k = 1;
    for (bool reached = true; reached; ++k) {
      CAPTURE(k);
      until_failure = k;
      const char* wrong = scenario(one.endpoint, one.from, one.to, one.with);
      reached = until_failure.exchange(0) <= 0;
      REQUIRE(std::string(wrong == nullptr ? "nothing" : wrong) == "nothing");
    }
    MESSAGE(std::string(one.endpoint), ": ", k - 2, " allocations");
  }
}
