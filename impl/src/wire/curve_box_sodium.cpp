#include <sodium.h>

#include "wire/curve_box.hpp"

namespace slk {

static_assert(crypto_box_PUBLICKEYBYTES == curve_key_bytes);
static_assert(crypto_box_SECRETKEYBYTES == curve_key_bytes);
static_assert(crypto_box_BEFORENMBYTES == curve_key_bytes);
static_assert(crypto_secretbox_KEYBYTES == curve_key_bytes);
static_assert(crypto_secretbox_NONCEBYTES == curve_nonce_bytes);
static_assert(crypto_secretbox_MACBYTES == box_overhead_bytes);

bool is_curve_available() noexcept {
  // It chooses the implementation that is fastest on this processor; any thread may come first.
  static const bool usable = sodium_init() >= 0;
  return usable;
}

bool derive_public_key(curve_public_key& out, const curve_secret_key& secret) noexcept {
  return is_curve_available() && crypto_scalarmult_base(out.data(), secret.data()) == 0;
}

bool derive_shared_key(curve_secret_key& out, const curve_public_key& theirs,
                       const curve_secret_key& ours) noexcept {
  return is_curve_available() && crypto_box_beforenm(out.data(), theirs.data(), ours.data()) == 0;
}

// With the shared key a box is a secretbox, the one that cookies are made of as well.
bool seal_box(std::uint8_t* out, std::span<const std::uint8_t> content, const curve_nonce& nonce,
              const curve_secret_key& key) noexcept {
  return crypto_secretbox_easy(out, content.data(), content.size(), nonce.data(), key.data()) == 0;
}

bool open_box(std::uint8_t* out, std::span<const std::uint8_t> box, const curve_nonce& nonce,
              const curve_secret_key& key) noexcept {
  return box.size() >= box_overhead_bytes &&
         crypto_secretbox_open_easy(out, box.data(), box.size(), nonce.data(), key.data()) == 0;
}

}  // namespace slk
