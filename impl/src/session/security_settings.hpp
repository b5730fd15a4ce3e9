#pragma once

#include <string>
#include <vector>

#include "base/secret.hpp"
#include "wire/curve.hpp"
#include "wire/mechanism.hpp"

namespace slk {

// What a socket's options say of whom to let in, and how to get in.
struct security_settings {
  mechanism_kind mechanism = mechanism_kind::null;
  bool as_server = false;
  std::string zap_domain;  // not empty: nobody gets in unasked
  secret_text username;    // PLAIN, of a client
  secret_text password;
  curve_keys keys;
  std::vector<curve_public_key> allowed;  // of clients; empty: all
};

}  // namespace slk
