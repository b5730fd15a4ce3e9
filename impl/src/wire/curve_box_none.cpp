#include "wire/curve_box.hpp"

namespace slk {

bool is_curve_available() noexcept {
  return false;
}

bool derive_public_key(curve_public_key&, const curve_secret_key&) noexcept {
  return false;
}

bool derive_shared_key(curve_secret_key&, const curve_public_key&,
                       const curve_secret_key&) noexcept {
  return false;
}

bool seal_box(std::uint8_t*, std::span<const std::uint8_t>, const curve_nonce&,
              const curve_secret_key&) noexcept {
  return false;
}

bool open_box(std::uint8_t*, std::span<const std::uint8_t>, const curve_nonce&,
              const curve_secret_key&) noexcept {
  return false;
}

}  // namespace slk
