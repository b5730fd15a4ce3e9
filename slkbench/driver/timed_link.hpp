// A link through a library of which one message in some is timed, call by call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "operation_timer.hpp"
#include "workload_spec.hpp"

namespace slkbench {

// All that a message pays which is not timed is a counter.
template <class Link>
class timed_link final : public Link {
 public:
  using Link::Link;

  bool send(const std::byte* data, std::size_t size) {
    if (--left_ != 0) [[likely]]
      return Link::send(data, size);
    return take_turn(role_kind::sender, [&] { return Link::send(data, size); });
  }
  std::ptrdiff_t receive(std::byte* data, std::size_t capacity) {
    if (--left_ != 0) [[likely]]
      return Link::receive(data, capacity);
    return take_turn(role_kind::receiver, [&] { return Link::receive(data, capacity); });
  }

 private:
  template <class Call>
  [[gnu::noinline]] auto take_turn(role_kind role, Call call) {
    const operation_timer::turn turn = operation_timer::next(role);
    left_ = turn.left;
    if (!turn.is_timed)
      return call();
    this->send_ = operation_timer::send;
    this->recv_ = operation_timer::recv;
    const auto result = call();
    this->send_ = this->table_.send;
    this->recv_ = this->table_.recv;
    return result;
  }

  std::uint32_t left_ = 1;
};

}  // namespace slkbench
