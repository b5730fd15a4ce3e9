#pragma once
// Owner of a file descriptor, and the only caller of close(2).

#include <unistd.h>

#include <utility>

namespace slk {

class unique_fd {
 public:
  static constexpr int none = -1;

  unique_fd() noexcept = default;
  explicit unique_fd(int fd) noexcept : fd_(fd) {}
  ~unique_fd() { reset(); }

  unique_fd(const unique_fd&) = delete;
  unique_fd& operator=(const unique_fd&) = delete;
  unique_fd(unique_fd&& other) noexcept : fd_(other.release()) {}
  unique_fd& operator=(unique_fd&& other) noexcept {
    if (this != &other) {
      reset(other.release());
    }
    return *this;
  }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

  // The caller owns the descriptor from here on.
  int release() noexcept { return std::exchange(fd_, none); }

  // Closes what is held, then takes ownership of `fd`. Leaves errno alone, so that a failure can
  // be reported after its descriptor was given up.
  void reset(int fd = none) noexcept {
    const int old = std::exchange(fd_, fd);
    if (old >= 0 && old != fd) {
      close_keeping_errno(old);
    }
  }

 private:
  static void close_keeping_errno(int fd) noexcept;

  int fd_ = none;
};

}  // namespace slk

#include <cerrno>

namespace slk {

// close(2) is never repeated after EINTR: Linux has released the descriptor by then, and another
// thread may have been given the same number.
inline void unique_fd::close_keeping_errno(int fd) noexcept {
  const int saved = errno;
  ::close(fd);
  errno = saved;
}

}  // namespace slk
