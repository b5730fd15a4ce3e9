#include <serverlink/serverlink.h>

#include <cstring>

#include "abi/error.hpp"
#include "wire/curve_box.hpp"
#include "wire/z85.hpp"

using slk::abi::fail;

namespace {

constexpr std::size_t key_characters = slk::z85_characters(slk::curve_key_bytes);

void put_key(char* out, const std::uint8_t* key) noexcept {
  static_cast<void>(slk::encode_z85(out, {key, slk::curve_key_bytes}));
  out[key_characters] = '\0';
}

}  // namespace

extern "C" {

int slk_curve_keypair(char* public_key, char* secret_key) {
  if (!slk::is_curve_available()) {
    return fail(ENOTSUP);
  }
  if (public_key == nullptr || secret_key == nullptr) {
    return fail(EINVAL);
  }
  slk::curve_secret_key secret;
  slk::curve_public_key open;
  if (!slk::fill_random(secret.data(), secret.size())) {
    return -1;
  }
  if (!slk::derive_public_key(open, secret)) {
    return fail(EINVAL);
  }
  put_key(public_key, open.data());
  put_key(secret_key, secret.data());
  return 0;
}

int slk_curve_public(char* public_key, const char* secret_key) {
  if (!slk::is_curve_available()) {
    return fail(ENOTSUP);
  }
  slk::curve_secret_key secret;
  slk::curve_public_key open;
  if (public_key == nullptr || secret_key == nullptr || std::strlen(secret_key) != key_characters ||
      !slk::decode_z85(secret.data(), secret_key) || !slk::derive_public_key(open, secret)) {
    return fail(EINVAL);
  }
  put_key(public_key, open.data());
  return 0;
}

char* slk_z85_encode(char* dest, const uint8_t* data, size_t size) {
  if (dest == nullptr || (data == nullptr && size > 0) || !slk::encode_z85(dest, {data, size})) {
    fail(EINVAL);
    return nullptr;
  }
  dest[slk::z85_characters(size)] = '\0';
  return dest;
}

uint8_t* slk_z85_decode(uint8_t* dest, const char* string) {
  if (dest == nullptr || string == nullptr || !slk::decode_z85(dest, string)) {
    fail(EINVAL);
    return nullptr;
  }
  return dest;
}

}  // extern "C"
