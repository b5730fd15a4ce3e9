#include "socket/security_options.hpp"

#include <serverlink/serverlink.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "socket/options.hpp"
#include "wire/z85.hpp"

namespace slk {

namespace {

constexpr std::size_t key_characters = z85_characters(curve_key_bytes);
constexpr std::size_t domain_bytes_max = 255;

bool is_of_curve(int option) noexcept {
  return (option >= SLK_CURVE_SERVER && option <= SLK_CURVE_SERVERKEY) || option == SLK_CURVE_ALLOW;
}

// As bytes or as Z85, with or without its NUL.
bool parse_key(std::uint8_t* out, const void* value, std::size_t size_bytes) noexcept {
  if (value == nullptr) {
    return false;
  }
  if (size_bytes == curve_key_bytes) {
    std::memcpy(out, value, curve_key_bytes);
    return true;
  }
  const auto* text = static_cast<const char*>(value);
  const bool ended = size_bytes == key_characters + 1 && text[key_characters] == '\0';
  return (ended || size_bytes == key_characters) && decode_z85(out, {text, key_characters});
}

int put_key(const std::uint8_t* key, void* value, std::size_t* size_bytes) noexcept {
  if (size_bytes == nullptr || *size_bytes <= key_characters) {
    return size_bytes != nullptr && *size_bytes == curve_key_bytes
               ? copy_option(key, curve_key_bytes, value, size_bytes)
               : EINVAL;
  }
  secret_array<key_characters + 1> text;
  static_cast<void>(encode_z85(reinterpret_cast<char*>(text.data()), {key, curve_key_bytes}));
  return copy_option(text.data(), text.size(), value, size_bytes);
}

// As a C string.
int put_text(std::string_view text, void* value, std::size_t* size_bytes) noexcept {
  if (value == nullptr || size_bytes == nullptr || *size_bytes <= text.size()) {
    return EINVAL;
  }
  std::memcpy(value, text.data(), text.size());
  static_cast<char*>(value)[text.size()] = '\0';
  *size_bytes = text.size() + 1;
  return 0;
}

}  // namespace

int security_options::choose_server(mechanism_kind kind, const void* value,
                                    std::size_t size_bytes) {
  int chosen = 0;
  if (value == nullptr || size_bytes != sizeof chosen) {
    return EINVAL;
  }
  std::memcpy(&chosen, value, sizeof chosen);
  if (chosen != 0 && chosen != 1) {
    return EINVAL;
  }
  settings_.as_server = chosen == 1;
  settings_.mechanism = chosen == 1 ? kind : mechanism_kind::null;
  return 0;
}

int security_options::set_text(secret_text& text, const void* value, std::size_t size_bytes) {
  const bool none = value == nullptr || size_bytes == 0;
  if (size_bytes > secret_text::bytes_max) {
    return EINVAL;
  }
  text.assign(none ? std::string_view{}
                   : std::string_view{static_cast<const char*>(value), size_bytes});
  settings_.as_server = false;
  const bool nameless = none && &text == &settings_.username;
  settings_.mechanism = nameless || (settings_.username.empty() && settings_.password.empty())
                            ? mechanism_kind::null
                            : mechanism_kind::plain;
  return 0;
}

int security_options::set_key(int option, const void* value, std::size_t size_bytes) {
  if (option == SLK_CURVE_ALLOW && size_bytes == 0) {
    settings_.allowed.clear();
    return 0;
  }
  curve_secret_key key;  // it may be one
  if (!parse_key(key.data(), value, size_bytes)) {
    return EINVAL;
  }
  curve_public_key open{};
  std::memcpy(open.data(), key.data(), curve_key_bytes);
  switch (option) {
    case SLK_CURVE_ALLOW:
      settings_.allowed.push_back(open);
      return 0;
    case SLK_CURVE_PUBLICKEY:
      settings_.keys.ours = open;
      have_public_ = true;
      break;
    case SLK_CURVE_SECRETKEY:
      settings_.keys.secret = key;
      have_secret_ = true;
      break;
    default:
      settings_.keys.server = open;
      have_server_ = true;
      settings_.as_server = false;
      break;
  }
  wipe(open.data(), open.size());
  settings_.mechanism = mechanism_kind::curve;
  return 0;
}

int security_options::set(int option, const void* value, std::size_t size_bytes) {
  if (is_of_curve(option) && !is_curve_available()) {
    return ENOTSUP;
  }
  switch (option) {
    case SLK_PLAIN_SERVER:
      return choose_server(mechanism_kind::plain, value, size_bytes);
    case SLK_CURVE_SERVER:
      return choose_server(mechanism_kind::curve, value, size_bytes);
    case SLK_PLAIN_USERNAME:
      return set_text(settings_.username, value, size_bytes);
    case SLK_PLAIN_PASSWORD:
      return set_text(settings_.password, value, size_bytes);
    case SLK_CURVE_PUBLICKEY:
    case SLK_CURVE_SECRETKEY:
    case SLK_CURVE_SERVERKEY:
    case SLK_CURVE_ALLOW:
      return set_key(option, value, size_bytes);
    case SLK_ZAP_DOMAIN:
      if (size_bytes > domain_bytes_max || (value == nullptr && size_bytes > 0)) {
        return EINVAL;
      }
      settings_.zap_domain.assign(static_cast<const char*>(value), size_bytes);
      return 0;
    default:
      return EINVAL;
  }
}

int security_options::get(int option, void* value, std::size_t* size_bytes) const noexcept {
  if (is_of_curve(option) && !is_curve_available()) {
    return ENOTSUP;
  }
  const auto put = [&](int number) {
    return copy_option(&number, sizeof number, value, size_bytes);
  };
  const auto serves = [&](mechanism_kind kind) {
    return settings_.as_server && settings_.mechanism == kind ? 1 : 0;
  };
  switch (option) {
    case SLK_MECHANISM:
      return put(static_cast<int>(settings_.mechanism));
    case SLK_PLAIN_SERVER:
      return put(serves(mechanism_kind::plain));
    case SLK_CURVE_SERVER:
      return put(serves(mechanism_kind::curve));
    case SLK_PLAIN_USERNAME:
      return put_text(settings_.username.view(), value, size_bytes);
    case SLK_PLAIN_PASSWORD:
      return put_text(settings_.password.view(), value, size_bytes);
    case SLK_ZAP_DOMAIN:
      return put_text(settings_.zap_domain, value, size_bytes);
    case SLK_CURVE_PUBLICKEY:
      return put_key(settings_.keys.ours.data(), value, size_bytes);
    case SLK_CURVE_SECRETKEY:
      return put_key(settings_.keys.secret.data(), value, size_bytes);
    case SLK_CURVE_SERVERKEY:
      return put_key(settings_.keys.server.data(), value, size_bytes);
    default:
      return EINVAL;
  }
}

int security_options::check() const noexcept {
  if (settings_.mechanism != mechanism_kind::curve) {
    return 0;
  }
  return have_secret_ && (settings_.as_server || (have_public_ && have_server_)) ? 0 : EINVAL;
}

std::shared_ptr<const security_settings> security_options::for_session() const {
  if (settings_.mechanism == mechanism_kind::null && settings_.zap_domain.empty()) {
    return nullptr;
  }
  return std::make_shared<const security_settings>(settings_);
}

}  // namespace slk
