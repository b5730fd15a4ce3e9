#pragma once
// One frame of a message: the contents of slk_msg_t.
//
// Up to inline_bytes_max bytes live in the object and never allocate. Larger bodies are one
// reference-counted block; foreign data is referred to, not copied.
//
// Invariants
// 1. 64 bytes, 8-aligned, trivially relocatable: no pointer into the object itself, so that it may
//    live in any slk_msg_t and be moved as bytes when the source is forgotten.
// 2. The tag tells a live message from a closed or never initialised one (is_valid()).
// 3. A message belongs to one thread; bodies and properties may be shared between threads.
// 4. A body that is shared is read-only by convention, as in libzmq.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/copy_bytes.hpp"
#include "base/result.hpp"
#include "message/message_block.hpp"
#include "message/properties.hpp"

namespace slk {

class message {
 public:
  static constexpr std::size_t inline_bytes_max = 48;

  // Empty and valid.
  message() noexcept { init(); }
  ~message() {
    if (is_valid()) {
      close();
    }
  }
  message(message&& other) noexcept { take_bytes(other); }
  message& operator=(message&& other) noexcept {
    move_from(other);
    return *this;
  }
  message(const message&) = delete;  // copy_from() says what it costs
  message& operator=(const message&) = delete;

  // The message whose bytes are at `storage`, 64 of them, 8-aligned: the content of a slk_msg_t.
  // It may be closed or uninitialised: ask is_valid(), or call an init function.
  static message* at(void* storage) noexcept { return static_cast<message*>(storage); }
  static const message* at(const void* storage) noexcept {
    return static_cast<const message*>(storage);
  }

  // The init functions overwrite what was there without looking at it. REQUIRES: uninitialised or
  // closed memory, or a message that owns nothing (a small body without properties).
  // On failure the message is empty and valid.
  void init() noexcept;
  // `size` bytes of undefined content. ENOMEM, also when the size is absurd.
  status init_size(std::size_t size) noexcept;
  // A copy of the bytes; `data` may be nullptr when size is 0. ENOMEM.
  status init_buffer(const void* data, std::size_t size) noexcept;
  // Refers to `data` and calls free_fn(data, hint) once, on the thread that drops the last
  // reference. Without free_fn the data must outlive all copies. ENOMEM: free_fn is not called.
  status init_data(void* data, std::size_t size, message_free_fn free_fn, void* hint) noexcept;
  // Takes the caller's reference; the message has the block's data and size.
  void adopt_block(message_block* block) noexcept;

  // Gives everything up; the message is then invalid until it is initialised again.
  // REQUIRES: is_valid().
  void close() noexcept;

  // Both give up what this message held. REQUIRES: is_valid() of both.
  // The source is empty afterwards. Moving a message to itself does nothing.
  void move_from(message& source) noexcept;
  // Shares the body when it isn't inline; flags and properties come along.
  void copy_from(const message& source) noexcept;

  bool is_valid() const noexcept { return tag_ == live_tag && kind_ <= kind::constant; }

  std::uint8_t* data() noexcept { return kind_ == kind::small ? body_.small : body_.large.data; }
  const std::uint8_t* data() const noexcept {
    return kind_ == kind::small ? body_.small : body_.large.data;
  }
  std::size_t size() const noexcept {
    return kind_ == kind::small ? small_bytes_ : body_.large.size_bytes;
  }
  bool is_inline() const noexcept { return kind_ == kind::small; }

  // Another message has the same body.
  bool shares_body() const noexcept { return kind_ == kind::block && body_.large.block->shared(); }

  bool more() const noexcept { return more_ != 0; }
  void set_more(bool more) noexcept { more_ = more ? 1 : 0; }

  // nullptr: none, as for messages over inproc. set_properties() adds a reference of its own.
  const message_properties* properties() const noexcept { return properties_; }
  void set_properties(message_properties* properties) noexcept;

 private:
  static constexpr std::uint16_t live_tag = 0x4D53;

  enum class kind : std::uint8_t { small, block, constant };

  struct large_body {
    std::uint8_t* data;
    std::size_t size_bytes;
    message_block* block;  // nullptr for kind::constant
  };
  union body {
    std::uint8_t small[inline_bytes_max];
    large_body large;
  };

  void start(kind k, std::size_t small_bytes) noexcept;
  void start_large(kind k, std::uint8_t* data, std::size_t size, message_block* block) noexcept;
  void take_bytes(message& source) noexcept;
  void drop_references() noexcept;

  std::uint16_t tag_;
  kind kind_;
  std::uint8_t small_bytes_;
  std::uint8_t more_;
  std::uint8_t reserved_[3];
  message_properties* properties_;
  body body_;
};

static_assert(sizeof(message) == 64, "the size of slk_msg_t and zmq_msg_t");
static_assert(alignof(message) == 8);
static_assert(message::inline_bytes_max <= UINT8_MAX);

// Implementation details follow.

inline void message::start(kind k, std::size_t small_bytes) noexcept {
  tag_ = live_tag;
  kind_ = k;
  small_bytes_ = static_cast<std::uint8_t>(small_bytes);
  more_ = 0;
  std::memset(reserved_, 0, sizeof reserved_);
  properties_ = nullptr;
}

inline void message::start_large(kind k, std::uint8_t* data, std::size_t size,
                                 message_block* block) noexcept {
  start(k, 0);
  body_.large = large_body{data, size, block};
}

inline void message::init() noexcept {
  start(kind::small, 0);
}

inline status message::init_size(std::size_t size) noexcept {
  if (size <= inline_bytes_max) [[likely]] {
    start(kind::small, size);
    return {};
  }
  message_block* block = message_block::allocate(size);
  if (block == nullptr) [[unlikely]] {
    init();
    return failure{ENOMEM};
  }
  block->set_size(size);
  adopt_block(block);
  return {};
}

inline status message::init_buffer(const void* data, std::size_t size) noexcept {
  const status outcome = init_size(size);
  if (outcome && size != 0) [[likely]] {
    copy_bytes(this->data(), static_cast<const std::uint8_t*>(data), size);
  }
  return outcome;
}

inline void message::adopt_block(message_block* block) noexcept {
  start_large(kind::block, block->data(), block->size(), block);
}

inline void message::drop_references() noexcept {
  if (kind_ == kind::block) {
    body_.large.block->release();
  }
  if (properties_ != nullptr) [[unlikely]] {
    properties_->release();
  }
}

inline void message::close() noexcept {
  drop_references();
  tag_ = 0;
}

inline void message::take_bytes(message& source) noexcept {
  std::memcpy(static_cast<void*>(this), &source, sizeof *this);
  source.init();
}

inline void message::move_from(message& source) noexcept {
  if (this == &source) {
    return;
  }
  if (is_valid()) {
    drop_references();
  }
  take_bytes(source);
}

}  // namespace slk
