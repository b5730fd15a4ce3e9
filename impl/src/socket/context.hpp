#pragma once

#include <atomic>
#include <climits>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "io/io_thread.hpp"
#include "pipe/inbox.hpp"
#include "session/activity.hpp"
#include "socket/inproc_registry.hpp"
#include "socket/zap_client.hpp"

namespace slk {

// The home of sockets: their I/O threads, their inproc names, their common end. Thread-safe.
class context {
 public:
  context();
  ~context();
  context(const context&) = delete;
  context& operator=(const context&) = delete;

  // 0 or EINVAL.
  [[nodiscard]] int set_option(int option, int value);
  // The value, or -1 (EINVAL).
  [[nodiscard]] int get_option(int option) const;

  // Counts a new socket in, and starts the I/O threads with the first. 0, ETERM or EMFILE.
  [[nodiscard]] int add_socket(const std::shared_ptr<inbox>& socket);
  void remove_socket(const std::shared_ptr<inbox>& socket);

  // Every call on this context's sockets fails with ETERM from now on.
  void shut_down();
  // shut_down(), and waits until all sockets are closed and have lingered. 0, or EINTR.
  [[nodiscard]] int terminate();

  // The I/O thread with the least to do; nullptr if the context has none.
  [[nodiscard]] io_thread* least_loaded_io_thread() noexcept;

  inproc_registry& inproc() noexcept { return inproc_; }
  activity& counted() noexcept { return activity_; }
  slk::authenticator& authenticator() noexcept { return zap_client_; }
  [[nodiscard]] bool default_ipv6() const noexcept { return ipv6_.load(); }
  // -1: no limit.
  [[nodiscard]] std::int64_t default_max_message_bytes() const noexcept {
    const int limit = max_message_bytes_.load();
    return limit == INT_MAX ? -1 : limit;
  }
  [[nodiscard]] bool default_blocky() const noexcept { return blocky_.load(); }

 private:
  void start_io_threads();

  std::atomic<int> io_thread_count_{1};
  std::atomic<int> max_sockets_{1023};
  std::atomic<int> max_message_bytes_{INT_MAX};
  std::atomic<bool> ipv6_{false};
  std::atomic<bool> blocky_{true};

  inproc_registry inproc_;
  zap_client zap_client_{inproc_};
  activity activity_;

  std::mutex mutex_;
  bool stopping_ = false;                     // guarded by mutex_
  bool started_ = false;                      // guarded by mutex_
  std::set<std::shared_ptr<inbox>> sockets_;  // guarded by mutex_
  // Filled before the first socket exists, then constant.
  std::vector<std::unique_ptr<io_thread>> io_threads_;
};

}  // namespace slk
