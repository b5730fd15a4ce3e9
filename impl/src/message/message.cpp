#include "message/message.hpp"

namespace slk {

status message::init_data(void* data, std::size_t size, message_free_fn free_fn,
                          void* hint) noexcept {
  if (free_fn == nullptr) {
    start_large(kind::constant, static_cast<std::uint8_t*>(data), size, nullptr);
    return {};
  }
  message_block* block = message_block::wrap(data, size, free_fn, hint);
  if (block == nullptr) {
    init();
    return failure{ENOMEM};
  }
  adopt_block(block);
  return {};
}

void message::copy_from(const message& source) noexcept {
  if (this == &source) {
    return;
  }
  if (is_valid()) {
    drop_references();
  }
  std::memcpy(static_cast<void*>(this), &source, sizeof *this);
  if (kind_ == kind::block) {
    body_.large.block->add_reference();
  }
  if (properties_ != nullptr) {
    properties_->add_reference();
  }
}

void message::set_properties(message_properties* properties) noexcept {
  if (properties != nullptr) {
    properties->add_reference();
  }
  if (properties_ != nullptr) {
    properties_->release();
  }
  properties_ = properties;
}

}  // namespace slk
