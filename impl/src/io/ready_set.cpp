#include "io/ready_set.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <system_error>

namespace slk {

ready_set::ready_set(int signal_fd) : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  epoll_event interest{};
  interest.events = EPOLLIN;
  interest.data.ptr = nullptr;
  if (!epoll_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, signal_fd, &interest) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll");
  }
}

void ready_set::add(int fd, void* tag) noexcept {
  epoll_event interest{};
  interest.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  interest.data.ptr = tag;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &interest);
}

void ready_set::remove(int fd) noexcept {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

std::size_t ready_set::collect(std::array<event, batch>& out) noexcept {
  std::array<epoll_event, batch> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(batch), 0);
  for (int i = 0; i < count; ++i) {
    const epoll_event& from = events[static_cast<std::size_t>(i)];
    out[static_cast<std::size_t>(i)] = {from.data.ptr,
                                        (from.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0};
    took_edges_ = took_edges_ || from.data.ptr != nullptr;
  }
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

}  // namespace slk
