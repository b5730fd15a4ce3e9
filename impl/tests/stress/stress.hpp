#pragma once
// What the stress tests share: owners of handles that give up instead of hanging, and numbered
// messages whose loss, repetition and disorder are counted.

#include <doctest/doctest.h>
#include <serverlink/serverlink.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace stress {

// Every blocking call gives up after this; only a lost wake-up gets there.
inline constexpr int patience_ms = 20'000;

// The sanitizers make everything some ten times slower.
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
inline constexpr int scale = 1;
#else
inline constexpr int scale = 5;
#endif

class context {
 public:
  context() : raw_(slk_ctx_new()) { REQUIRE(raw_ != nullptr); }
  ~context() { slk_ctx_destroy(raw_); }
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  [[nodiscard]] void* raw() const { return raw_; }

 private:
  void* raw_;
};

class socket {
 public:
  socket(const context& home, int type) : raw_(slk_socket(home.raw(), type)) {
    if (raw_ != nullptr) {
      set(SLK_RCVTIMEO, patience_ms);
      set(SLK_SNDTIMEO, patience_ms);
      set(SLK_LINGER, 0);
    }
  }
  ~socket() {
    if (raw_ != nullptr) {
      slk_close(raw_);
    }
  }
  socket(socket&& other) noexcept : raw_(other.raw_) { other.raw_ = nullptr; }
  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;
  socket& operator=(socket&&) = delete;

  [[nodiscard]] void* raw() const { return raw_; }
  [[nodiscard]] explicit operator bool() const { return raw_ != nullptr; }
  socket& set(int option, int value) {
    slk_setsockopt(raw_, option, &value, sizeof value);
    return *this;
  }
  socket& name(std::string_view id) {
    slk_setsockopt(raw_, SLK_ROUTING_ID, id.data(), id.size());
    return *this;
  }
  // The endpoint to connect to; empty if it failed.
  std::string bind(const std::string& endpoint) {
    if (slk_bind(raw_, endpoint.c_str()) != 0) {
      return "";
    }
    char resolved[256];
    size_t size = sizeof resolved;
    slk_getsockopt(raw_, SLK_LAST_ENDPOINT, resolved, &size);
    return resolved;
  }
  bool connect(const std::string& endpoint) { return slk_connect(raw_, endpoint.c_str()) == 0; }
  bool send(std::string_view part, int flags = 0) {
    return slk_send(raw_, part.data(), part.size(), flags) >= 0;
  }
  // The part's bytes; false: errno says why.
  bool recv(std::string& part, int flags = 0) {
    char buffer[512];
    const int size = slk_recv(raw_, buffer, sizeof buffer, flags);
    if (size < 0) {
      return false;
    }
    part.assign(buffer, std::min<size_t>(static_cast<size_t>(size), sizeof buffer));
    return true;
  }
  [[nodiscard]] bool more() const {
    int value = 0;
    size_t size = sizeof value;
    slk_getsockopt(raw_, SLK_RCVMORE, &value, &size);
    return value != 0;
  }

 private:
  void* raw_;
};

// tcp, ipc and inproc, where nobody is yet.
inline std::string fresh_endpoint(const std::string& transport) {
  static std::atomic<int> counter{0};
  const std::string number = std::to_string(::getpid()) + "-" + std::to_string(++counter);
  if (transport == "tcp") {
    return "tcp://127.0.0.1:*";
  }
  return transport == "ipc" ? "ipc://@slk-stress-" + number : "inproc://stress-" + number;
}

// Checks that the numbers of each source rise; counts what is missing.
class ledger {
 public:
  // False: repeated or out of order.
  bool enter(std::uint32_t source, std::uint32_t number) {
    auto [at, fresh] = next_.try_emplace(source, 0);
    if (number < at->second) {
      return false;
    }
    missing_ += number - at->second;
    at->second = number + 1;
    ++entered_;
    return true;
  }
  [[nodiscard]] std::uint64_t missing() const { return missing_; }
  [[nodiscard]] std::uint64_t entered() const { return entered_; }

 private:
  std::map<std::uint32_t, std::uint32_t> next_;
  std::uint64_t missing_ = 0;
  std::uint64_t entered_ = 0;
};

// A message: who, which, and so many bytes more that follow from both.
inline std::string numbered(std::uint32_t source, std::uint32_t number, std::size_t size_bytes) {
  std::string bytes(8 + size_bytes, static_cast<char>(source * 7 + number));
  std::memcpy(bytes.data(), &source, 4);
  std::memcpy(bytes.data() + 4, &number, 4);
  return bytes;
}

// False: not such a message.
inline bool parse(std::string_view bytes, std::uint32_t& source, std::uint32_t& number) {
  if (bytes.size() < 8) {
    return false;
  }
  std::memcpy(&source, bytes.data(), 4);
  std::memcpy(&number, bytes.data() + 4, 4);
  return bytes.find_first_not_of(static_cast<char>(source * 7 + number), 8) ==
         std::string_view::npos;
}

}  // namespace stress
