#pragma once
// What a connection tells about its peer, shared by all messages that came over it.
// Immutable after construction; reference counted, so any thread may hold and drop it.

#include <atomic>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace slk {

class message_properties {
 public:
  using list = std::vector<std::pair<std::string, std::string>>;

  // The caller owns one reference. May throw std::bad_alloc.
  static message_properties* create(list properties);

  message_properties(const message_properties&) = delete;
  message_properties& operator=(const message_properties&) = delete;

  // The value, NUL-terminated, or nullptr. Names are compared without case.
  const char* find(std::string_view name) const noexcept;

  // Relaxed: whoever adds a reference holds one already, and hands the new one on through an edge
  // of its own (ring, mailbox or program order).
  void add_reference() noexcept { references_.fetch_add(1, std::memory_order_relaxed); }
  // Destroys the object with the last reference.
  void release() noexcept;

 private:
  explicit message_properties(list properties) noexcept : properties_(std::move(properties)) {}
  ~message_properties() = default;

  std::atomic<unsigned> references_{1};
  const list properties_;
};

}  // namespace slk
