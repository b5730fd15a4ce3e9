#include "message/properties.hpp"

#include "base/ascii.hpp"

namespace slk {
message_properties* message_properties::create(list properties) {
  return new message_properties(std::move(properties));
}

const char* message_properties::find(std::string_view name) const noexcept {
  for (const auto& [key, value] : properties_) {
    if (equal_ignoring_case(key, name)) {
      return value.c_str();
    }
  }
  return nullptr;
}

void message_properties::release() noexcept {
  // Release makes this holder's reads happen before the deletion; acquire, in the last one, takes
  // over those of all others. Pairs with: release() of the other holders.
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete this;
  }
}

}  // namespace slk
