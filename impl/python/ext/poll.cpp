#include "poll.hpp"

#include <serverlink/serverlink.h>

#include <chrono>
#include <climits>
#include <deque>
#include <utility>
#include <vector>

#include "arguments.hpp"
#include "error.hpp"
#include "interpreter.hpp"
#include "socket.hpp"

namespace nb = nanobind;

namespace slk::python {

namespace {

using clock = std::chrono::steady_clock;

// The items in the library's form beside the objects they came from, which are kept alive.
struct poll_set {
  std::vector<slk_pollitem_t> items;
  std::vector<nb::object> names;
  std::vector<socket*> sockets;

  // Throws TypeError, OverflowError for what is no pair of something to poll and its events.
  void add(nb::handle pair) {
    const auto item = nb::steal(PySequence_Fast(
        pair.ptr(), "what is polled is a pair: a socket or a descriptor, and its events"));
    if (!item.is_valid()) {
      throw nb::python_error();
    }
    if (PySequence_Fast_GET_SIZE(item.ptr()) != 2) {
      throw nb::type_error("what is polled is a pair: a socket or a descriptor, and its events");
    }
    const int events = int_of(PySequence_Fast_GET_ITEM(item.ptr(), 1), 0);
    if (events < 0 || events > SHRT_MAX) {
      PyErr_Format(PyExc_OverflowError, "there are no such events to poll for: %d", events);
      throw nb::python_error();
    }
    add(nb::handle(PySequence_Fast_GET_ITEM(item.ptr(), 0)), static_cast<short>(events));
  }

 private:
  void add(nb::handle polled, short events) {
    slk_pollitem_t item{nullptr, -1, events, 0};
    if (nb::isinstance<socket>(polled)) {
      auto* const found = nb::cast<socket*>(polled);
      item.socket = found->usable();
      sockets.push_back(found);
      names.push_back(nb::borrow(polled));
    } else {
      item.fd = PyObject_AsFileDescriptor(polled.ptr());
      if (item.fd < 0) {
        throw nb::python_error();
      }
      names.push_back(nb::int_(item.fd));
    }
    items.push_back(item);
  }
};

int wait_once(poll_set& set, long timeout_ms) {
  for (const socket* polled : set.sockets) {
    polled->usable();  // a signal handler may have closed it since
  }
  std::deque<socket::use> uses;
  for (socket* polled : set.sockets) {
    uses.emplace_back(*polled);
  }
  return without_gil(
      [&] { return slk_poll(set.items.data(), static_cast<int>(set.items.size()), timeout_ms); });
}

int wait(poll_set& set, long timeout_ms) {
  const auto deadline = clock::now() + std::chrono::milliseconds(timeout_ms);
  long left_ms = timeout_ms;
  for (;;) {
    check_signals();
    const int count = wait_once(set, left_ms);
    if (count >= 0) {
      return count;
    }
    if (errno != EINTR) {
      raise_last_error();
    }
    if (timeout_ms > 0) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
      left_ms = left.count() > 0 ? static_cast<long>(left.count()) : 0;
    }
  }
}

}  // namespace

nb::list poll(nb::handle items, long timeout_ms) {
  poll_set set;
  for (const nb::handle item : nb::iter(items)) {
    set.add(item);
  }
  nb::list ready;
  if (wait(set, timeout_ms < 0 ? -1 : timeout_ms) > 0) {
    for (size_t i = 0; i < set.items.size(); ++i) {
      if (set.items[i].revents != 0) {
        ready.append(nb::make_tuple(set.names[i], static_cast<int>(set.items[i].revents)));
      }
    }
  }
  return ready;
}

}  // namespace slk::python
