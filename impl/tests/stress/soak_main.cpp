// soak: so many messages to one PULL, over tcp, ipc and inproc at once, from peers that come, send
// for a while, and leave: most take their time to close, some leave at once, some are processes
// that are killed. Ends with 1 if a message is repeated, out of order, damaged, or lost where
// nothing may be lost; or if descriptors, threads or memory have grown.
//
//   soak MESSAGES
#include <dirent.h>
#include <serverlink/serverlink.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace {

using std::chrono::steady_clock;

constexpr int patience_ms = 30'000;
constexpr std::size_t memory_growth_max_bytes = 32'000'000;
constexpr std::uint64_t life_messages_max = 400'000;

struct message {
  std::uint64_t source;
  std::uint64_t number;
};

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "soak: %s: %s\n", what, slk_strerror(slk_errno()));
  std::_Exit(1);
}

void* open_socket(void* context, int type, int linger_ms) {
  void* fresh = slk_socket(context, type);
  if (fresh == nullptr) {
    give_up("slk_socket");
  }
  for (const auto& [option, value] : {std::pair{SLK_SNDTIMEO, patience_ms},
                                      {SLK_RCVTIMEO, patience_ms},
                                      {SLK_LINGER, linger_ms}}) {
    slk_setsockopt(fresh, option, &value, sizeof value);
  }
  return fresh;
}

// One peer's life: every 64th message is larger.
void send_numbered(void* context, const std::string& endpoint, std::uint64_t source,
                   std::uint64_t count, int linger_ms) {
  void* push = open_socket(context, SLK_PUSH, linger_ms);
  if (slk_connect(push, endpoint.c_str()) != 0) {
    give_up("slk_connect");
  }
  std::array<char, 2000> bytes{};
  for (std::uint64_t i = 0; i < count; ++i) {
    const message head{source, i};
    std::memcpy(bytes.data(), &head, sizeof head);
    if (slk_send(push, bytes.data(), i % 64 == 63 ? bytes.size() : sizeof head, 0) < 0) {
      give_up("slk_send");
    }
  }
  slk_close(push);
}

// What is expected of the sources, and what came of them.
class ledger {
 public:
  std::uint64_t begin(std::uint64_t count, bool all_must_arrive) {
    const std::lock_guard lock(mutex_);
    entries_.push_back({count, 0, all_must_arrive});
    return entries_.size() - 1;
  }
  // By the receiver alone.
  void enter(const message& got) {
    if (latest_ == nullptr || got.source != latest_source_) {
      const std::lock_guard lock(mutex_);
      if (got.source >= entries_.size()) {
        give_up("a message of nobody");
      }
      latest_ = &entries_[got.source];
      latest_source_ = got.source;
    }
    if (got.number != latest_->next || got.number >= latest_->count) {
      std::fprintf(stderr, "source %" PRIu64 ": %" PRIu64 " instead of %" PRIu64 "\n", got.source,
                   got.number, latest_->next);
      give_up("lost, repeated or out of order");
    }
    ++latest_->next;
    ++entered_;
  }
  [[nodiscard]] bool complete() {
    const std::lock_guard lock(mutex_);
    while (settled_ < entries_.size() && is_settled(entries_[settled_])) {
      ++settled_;
    }
    return settled_ == entries_.size();
  }
  [[nodiscard]] std::uint64_t entered() const { return entered_; }
  [[nodiscard]] std::size_t sources() const { return entries_.size(); }

 private:
  struct entry {
    std::uint64_t count;
    std::uint64_t next;
    bool all_must_arrive;
  };
  static bool is_settled(const entry& one) { return !one.all_must_arrive || one.next == one.count; }

  std::mutex mutex_;
  std::deque<entry> entries_;
  std::size_t settled_ = 0;
  entry* latest_ = nullptr;
  std::uint64_t latest_source_ = 0;
  std::uint64_t entered_ = 0;
};

void kill_a_process(const std::string& endpoint, std::uint64_t source, unsigned after_ms) {
  const std::string number = std::to_string(source);
  std::array<char*, 5> arguments{const_cast<char*>("soak"), const_cast<char*>("--peer"),
                                 const_cast<char*>(endpoint.c_str()),
                                 const_cast<char*>(number.c_str()), nullptr};
  pid_t child = 0;
  if (posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, arguments.data(), environ) != 0) {
    give_up("posix_spawn");
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(after_ms));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

// Peers come and go until there have been enough messages.
void keep_sending(void* context, const std::vector<std::string>& endpoints, ledger& book,
                  std::atomic<std::int64_t>& left, unsigned seed) {
  std::mt19937 random(seed);
  while (left > 0) {
    const std::string& endpoint = endpoints[random() % endpoints.size()];
    const auto kind = static_cast<unsigned>(random() % 16);
    const std::uint64_t count =
        std::min<std::uint64_t>(1 + random() % life_messages_max,
                                static_cast<std::uint64_t>(std::max<std::int64_t>(left, 1)));
    if (kind == 0 && !endpoint.starts_with("inproc")) {
      kill_a_process(endpoint, book.begin(life_messages_max, false),
                     5 + static_cast<unsigned>(random() % 40));
      continue;
    }
    const bool abrupt = kind == 1;
    left -= static_cast<std::int64_t>(count);
    send_numbered(context, endpoint, book.begin(count, !abrupt), count, abrupt ? 0 : -1);
  }
}

std::size_t resident_bytes() {
  unsigned long total = 0;
  unsigned long resident = 0;
  std::FILE* statm = std::fopen("/proc/self/statm", "r");
  if (statm == nullptr || std::fscanf(statm, "%lu %lu", &total, &resident) != 2) {
    give_up("/proc/self/statm");
  }
  std::fclose(statm);
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

int entries_of(const char* folder) {
  int count = 0;
  DIR* opened = ::opendir(folder);
  while (opened != nullptr && ::readdir(opened) != nullptr) {
    ++count;
  }
  ::closedir(opened);
  return count;
}

struct footprint {
  std::size_t memory_bytes = resident_bytes();
  int descriptors = entries_of("/proc/self/fd");
  int threads = entries_of("/proc/self/task");
};

void print(const char* when, const ledger& book, const footprint& at) {
  std::printf("%s: %" PRIu64 " messages, %zu peers, %zu KiB, %d descriptors, %d threads\n", when,
              book.entered(), book.sources(), at.memory_bytes / 1024, at.descriptors, at.threads);
  std::fflush(stdout);
}

std::vector<std::string> bind_everywhere(void* pull) {
  std::vector<std::string> endpoints;
  for (const char* wildcard : {"tcp://127.0.0.1:*", "ipc://*", "inproc://soak"}) {
    std::array<char, 256> resolved{};
    std::size_t size = resolved.size();
    if (slk_bind(pull, wildcard) != 0 ||
        slk_getsockopt(pull, SLK_LAST_ENDPOINT, resolved.data(), &size) != 0) {
      give_up("slk_bind");
    }
    endpoints.emplace_back(resolved.data());
  }
  return endpoints;
}

int soak(std::int64_t messages) {
  void* context = slk_ctx_new();
  void* pull = open_socket(context, SLK_PULL, 0);
  const std::vector<std::string> endpoints = bind_everywhere(pull);
  ledger book;
  std::atomic<std::int64_t> left{messages};
  std::atomic<int> sending{2};
  std::vector<std::thread> senders;
  for (unsigned i = 0; i < 2; ++i) {
    senders.emplace_back([&, i] {
      keep_sending(context, endpoints, book, left, i + static_cast<unsigned>(::getpid()));
      --sending;
    });
  }
  const auto warm = static_cast<std::uint64_t>(messages / 10);
  footprint before;
  footprint most;
  std::array<char, 2000> bytes;
  auto stalled = steady_clock::now() + std::chrono::milliseconds(patience_ms);
  while (sending > 0 || !book.complete()) {
    const int size = slk_recv(pull, bytes.data(), bytes.size(), SLK_DONTWAIT);
    if (size < 0) {
      slk_pollitem_t item{pull, 0, SLK_POLLIN, 0};
      slk_poll(&item, 1, 10);
      if (steady_clock::now() > stalled) {
        give_up("nothing comes, and messages are missing");
      }
      continue;
    }
    message got;
    std::memcpy(&got, bytes.data(), sizeof got);
    if (size != static_cast<int>(got.number % 64 == 63 ? bytes.size() : sizeof got)) {
      give_up("damaged");
    }
    book.enter(got);
    if (book.entered() % (1 << 20) == 0 || book.entered() == warm) {
      stalled = steady_clock::now() + std::chrono::milliseconds(patience_ms);
      const footprint now;
      if (book.entered() <= warm) {
        before = now;
      } else if (now.memory_bytes > most.memory_bytes) {
        most = now;
      }
    }
  }
  for (std::thread& one : senders) {
    one.join();
  }
  print("warm", book, before);
  slk_close(pull);
  slk_ctx_term(context);
  const footprint after;
  print("most", book, most);
  print("after", book, after);
#ifdef __SANITIZE_ADDRESS__
  return 0;  // which keeps what was freed
#else
  return most.memory_bytes < before.memory_bytes + memory_growth_max_bytes &&
                 after.descriptors <= before.descriptors
             ? 0
             : 1;
#endif
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 4 && std::strcmp(arguments[1], "--peer") == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    void* context = slk_ctx_new();
    send_numbered(context, arguments[2], std::strtoull(arguments[3], nullptr, 10),
                  life_messages_max, -1);
    ::pause();
    return 0;
  }
  if (count != 2) {
    std::fprintf(stderr, "usage: soak MESSAGES\n");
    return 2;
  }
  return soak(std::strtoll(arguments[1], nullptr, 10));
}
