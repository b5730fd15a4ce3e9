// How a session makes its mechanism, and whom it lets in.

#include <serverlink/serverlink.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "session/session.hpp"
#include "transport/connect.hpp"
#include "wire/curve.hpp"
#include "wire/plain.hpp"

namespace slk {

namespace {

// All of them are compared, whichever it is.
bool is_allowed(const std::vector<curve_public_key>& allowed, std::string_view key) noexcept {
  bool found = false;
  for (const curve_public_key& one : allowed) {
    found = same_secret(one.data(), key.data(), std::min(one.size(), key.size())) || found;
  }
  return found;
}

}  // namespace

std::unique_ptr<mechanism> session::make_mechanism() const {
  if (settings_.security == nullptr) {
    return nullptr;
  }
  const security_settings& security = *settings_.security;
  auto metadata = handshake::metadata_of(settings_.socket_type, settings_.routing_id);
  if (security.mechanism == mechanism_kind::null) {
    return make_null_asking(std::move(metadata));
  }
  if (security.mechanism == mechanism_kind::plain) {
    return security.as_server
               ? make_plain_server(std::move(metadata))
               : make_plain_client(std::move(metadata), security.username, security.password);
  }
  curve_entropy entropy;
  if (!fill_random(entropy.data(), entropy.size())) {
    throw std::system_error(errno, std::generic_category());
  }
  return security.as_server ? make_curve_server(std::move(metadata), security.keys.secret, entropy)
                            : make_curve_client(std::move(metadata), security.keys, entropy);
}

// Asks about the peer if that is due. Without anybody to ask, the allow list, or in its absence
// the knowledge of our public key, is what a CURVE client gets in by.
void session::inquire() {
  const std::optional<credentials> shown = handshake_->inquiry();
  if (!shown || inquiry_ != nullptr) {
    return;
  }
  const security_settings& security = *settings_.security;
  const bool curve = security.mechanism == mechanism_kind::curve;
  if (curve && !security.allowed.empty() && !is_allowed(security.allowed, shown->shown.front())) {
    refuse("400", 400);
    return;
  }
  const std::string address = peer_address(fd_.get());
  inquiry_ =
      authenticator_.ask(io_, {security.zap_domain, address, handshake_->peer().routing_id, *shown},
                         [this](const verdict& answer) { take_verdict(answer); });
  if (inquiry_ != nullptr) {
    return;
  }
  if (!curve || !security.zap_domain.empty()) {
    report(SLK_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ECONNREFUSED);
    give_up();
    return;
  }
  handshake_->admit();
  if (handshake_->current() == handshake::state::failed) {
    peer_broke_protocol();
  }
}

void session::take_verdict(const verdict& answer) noexcept {
  inquiry_.reset();
  if (state_ != state::shaking) {
    return;
  }
  try {
    switch (answer.what) {
      case verdict::kind::admitted:
        verdict_ = answer;
        handshake_->admit();
        if (handshake_->current() == handshake::state::failed) {
          peer_broke_protocol();
        } else {
          continue_handshake();
        }
        return;
      case verdict::kind::denied:
        refuse(answer.status, (answer.status[0] - '0') * 100);
        return;
      case verdict::kind::malformed:
        report(SLK_EVENT_HANDSHAKE_FAILED_PROTOCOL, SLK_PROTOCOL_ERROR_ZAP_UNSPECIFIED);
        break;
      case verdict::kind::lost:
        report(SLK_EVENT_HANDSHAKE_FAILED_NO_DETAIL, ECONNREFUSED);
        break;
    }
    give_up();
  } catch (...) {
    connection_failed(ENOMEM);
  }
}

// 300 is for now only: the peer hears nothing, and tries again.
void session::refuse(std::string_view status, int value) noexcept {
  report(SLK_EVENT_HANDSHAKE_FAILED_AUTH, value);
  try {
    if (value != 300) {
      handshake_->deny(status);
      static_cast<void>(send_handshake());
    }
  } catch (...) {
    // Out of memory: it hears nothing, either.
  }
  if (state_ == state::shaking) {
    give_up();
  }
}

void session::cancel_inquiry() noexcept {
  if (inquiry_ != nullptr) {
    inquiry_->cancel();
    inquiry_.reset();
  }
}

}  // namespace slk
