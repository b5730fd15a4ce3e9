#include <poll.h>
#include <serverlink/serverlink.h>

#include <array>
#include <cstddef>
#include <memory_resource>
#include <span>
#include <vector>

#include "abi/error.hpp"
#include "abi/socket_handle.hpp"
#include "io/wait.hpp"

using slk::abi::fail;
using slk::abi::guard;
using slk::abi::socket_call;

namespace {

constexpr int socket_events = SLK_POLLIN | SLK_POLLOUT;

short to_system(short events) noexcept {
  return static_cast<short>(((events & SLK_POLLIN) != 0 ? POLLIN : 0) |
                            ((events & SLK_POLLOUT) != 0 ? POLLOUT : 0) |
                            ((events & SLK_POLLPRI) != 0 ? POLLPRI : 0));
}

short from_system(short revents, short wanted) noexcept {
  const int seen = ((revents & POLLIN) != 0 ? SLK_POLLIN : 0) |
                   ((revents & POLLOUT) != 0 ? SLK_POLLOUT : 0) |
                   ((revents & POLLPRI) != 0 ? SLK_POLLPRI : 0);
  const bool failed = (revents & ~(POLLIN | POLLOUT | POLLPRI)) != 0;
  return static_cast<short>((seen & wanted) | (failed ? SLK_POLLERR : 0));
}

// Sets the revents of the socket items. The number with events, or -errno.
int look_at_sockets(std::span<slk_pollitem_t> items, std::span<const socket_call> calls) {
  int count = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    slk_pollitem_t& item = items[i];
    const socket_call& polled = calls[i];
    if (!polled) {
      continue;
    }
    const int events = polled->ready_events(item.events & socket_events);
    if (events < 0) {
      return events;
    }
    item.revents = static_cast<short>(events);
    count += events != 0 ? 1 : 0;
  }
  return count;
}

// Announces the wait to the sockets, then looks once more: what comes from now on raises their
// descriptors, which it sets. True: nothing has come, so waiting is in order.
bool prepare_sockets(std::span<const slk_pollitem_t> items, std::span<const socket_call> calls,
                     std::span<pollfd> system) {
  bool quiet = true;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (const socket_call& polled = calls[i]; polled) {
      polled->prepare_wait();
      system[i].fd = polled->wait_fd();
      quiet = quiet && !polled->wait_is_over(items[i].events & socket_events);
    }
  }
  return quiet;
}

// Sets the revents of the descriptor items; returns the number with events.
int collect_descriptors(std::span<slk_pollitem_t> items, std::span<const pollfd> system) noexcept {
  int count = 0;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].socket == nullptr) {
      items[i].revents = from_system(system[i].revents, items[i].events);
      count += items[i].revents != 0 ? 1 : 0;
    }
  }
  return count;
}

// Those whose descriptor was given out: whoever holds it is not to miss what the poll has seen.
class end_of_poll {
 public:
  explicit end_of_poll(std::span<const socket_call> calls) noexcept : calls_(calls) {}
  ~end_of_poll() {
    for (const socket_call& polled : calls_) {
      if (polled) {
        polled->end_poll();
      }
    }
  }
  end_of_poll(const end_of_poll&) = delete;
  end_of_poll& operator=(const end_of_poll&) = delete;

 private:
  const std::span<const socket_call> calls_;
};

int poll_items(std::span<slk_pollitem_t> items, long timeout_ms) {
  const slk::deadline until = slk::deadline::in_ms(timeout_ms);
  const slk::deadline at_once = slk::deadline::in_ms(0);
  // Few items, as usual, cost no allocation.
  std::array<std::byte, 1024> few;
  std::pmr::monotonic_buffer_resource memory(few.data(), few.size());
  std::pmr::vector<pollfd> system(items.size(), &memory);
  std::pmr::vector<socket_call> calls(&memory);  // until the end: none of them may go meanwhile
  calls.reserve(items.size());
  bool descriptors = false;
  for (std::size_t i = 0; i < items.size(); ++i) {
    slk_pollitem_t& item = items[i];
    item.revents = 0;
    const socket_call& polled = calls.emplace_back(item.socket);
    if (!polled && item.socket != nullptr) {
      return -ENOTSOCK;
    }
    descriptors = descriptors || item.socket == nullptr;
    system[i] = polled ? pollfd{-1, POLLIN, 0} : pollfd{item.fd, to_system(item.events), 0};
  }
  const end_of_poll end(calls);
  for (;;) {
    int count = look_at_sockets(items, calls);
    const bool may_wait = count == 0 && timeout_ms != 0 && !until.passed();
    if (count < 0 || (!may_wait && !descriptors)) {
      return count;
    }
    const bool wait = may_wait && prepare_sockets(items, calls, system);
    if (const int error = slk::wait_for(system, wait ? until : at_once); error != 0) {
      return -error;
    }
    const int ready = collect_descriptors(items, system);
    if (wait) {
      count = look_at_sockets(items, calls);
    }
    if (count < 0 || count + ready > 0 || !may_wait) {
      return count < 0 ? count : count + ready;
    }
  }
}

}  // namespace

extern "C" int slk_poll(slk_pollitem_t* items, int count, long timeout) {
  if (count < 0) {
    return fail(EINVAL);
  }
  if (items == nullptr && count > 0) {
    return fail(EFAULT);
  }
  return guard([&] { return poll_items({items, static_cast<std::size_t>(count)}, timeout); });
}
