#include "socket/context.hpp"

#include <serverlink/serverlink.h>

#include <algorithm>
#include <cerrno>

#include "base/asymmetric_fence.hpp"
#include "base/clock.hpp"
#include "message/message.hpp"

namespace slk {

namespace {

constexpr int socket_limit = 65535;

}  // namespace

context::context() {
  register_asymmetric_fence();
  calibrate_ticks();
}

context::~context() {
  for (auto& thread : io_threads_) {
    thread->stop();
  }
}

int context::set_option(int option, int value) {
  switch (option) {
    case SLK_IO_THREADS:
      if (value < 0) {
        return EINVAL;
      }
      io_thread_count_ = value;
      return 0;
    case SLK_MAX_SOCKETS:
      if (value < 1 || value > socket_limit) {
        return EINVAL;
      }
      max_sockets_ = value;
      return 0;
    case SLK_MAX_MSGSZ:
      if (value < 0) {
        return EINVAL;
      }
      max_message_bytes_ = value;
      return 0;
    case SLK_IPV6:
    case SLK_BLOCKY:
      if (value != 0 && value != 1) {
        return EINVAL;
      }
      (option == SLK_IPV6 ? ipv6_ : blocky_) = value == 1;
      return 0;
    default:
      return EINVAL;
  }
}

int context::get_option(int option) const {
  switch (option) {
    case SLK_IO_THREADS:
      return io_thread_count_;
    case SLK_MAX_SOCKETS:
      return max_sockets_;
    case SLK_SOCKET_LIMIT:
      return socket_limit;
    case SLK_MAX_MSGSZ:
      return max_message_bytes_;
    case SLK_IPV6:
      return ipv6_ ? 1 : 0;
    case SLK_BLOCKY:
      return blocky_ ? 1 : 0;
    case SLK_MSG_T_SIZE:
      return static_cast<int>(sizeof(message));
    default:
      return -1;
  }
}

int context::add_socket(const std::shared_ptr<inbox>& socket) {
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    return ETERM;
  }
  if (sockets_.size() >= static_cast<std::size_t>(max_sockets_.load())) {
    return EMFILE;
  }
  if (!started_) {
    start_io_threads();
    started_ = true;
  }
  sockets_.insert(socket);
  return 0;
}

void context::start_io_threads() {
  io_threads_.clear();
  for (int i = 0; i < io_thread_count_; ++i) {
    io_threads_.push_back(std::make_unique<io_thread>());
    io_threads_.back()->start();
  }
}

void context::remove_socket(const std::shared_ptr<inbox>& socket) {
  const std::lock_guard lock(mutex_);
  sockets_.erase(socket);
}

void context::shut_down() {
  const std::lock_guard lock(mutex_);
  if (!stopping_) {
    stopping_ = true;
    for (const auto& socket : sockets_) {
      socket->stop(ETERM);
    }
  }
}

int context::terminate() {
  shut_down();
  return activity_.wait_for_rest();
}

io_thread* context::least_loaded_io_thread() noexcept {
  const auto least =
      std::min_element(io_threads_.begin(), io_threads_.end(),
                       [](const auto& a, const auto& b) { return a->load() < b->load(); });
  return least == io_threads_.end() ? nullptr : least->get();
}

}  // namespace slk
