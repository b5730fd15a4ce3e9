#include "wire/curve.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "wire/frame.hpp"

namespace slk {
namespace {

constexpr std::size_t short_nonce_bytes = 8;
constexpr std::size_t long_nonce_bytes = 16;
constexpr std::size_t padding_bytes = 72;
constexpr std::size_t signature_bytes = 64;
constexpr std::size_t cookie_content_bytes = 2 * curve_key_bytes;
constexpr std::size_t cookie_bytes = long_nonce_bytes + cookie_content_bytes + box_overhead_bytes;
constexpr std::size_t vouch_content_bytes = 2 * curve_key_bytes;
constexpr std::size_t vouch_bytes = long_nonce_bytes + vouch_content_bytes + box_overhead_bytes;

constexpr std::size_t hello_body_bytes = 200;
constexpr std::size_t hello_data_bytes = hello_body_bytes - 6;
constexpr std::size_t hello_key_at = 2 + padding_bytes;
constexpr std::size_t hello_nonce_at = hello_key_at + curve_key_bytes;
constexpr std::size_t hello_box_at = hello_nonce_at + short_nonce_bytes;
static_assert(hello_box_at + signature_bytes + box_overhead_bytes == hello_data_bytes);

constexpr std::size_t welcome_content_bytes = curve_key_bytes + cookie_bytes;
constexpr std::size_t welcome_data_bytes =
    long_nonce_bytes + welcome_content_bytes + box_overhead_bytes;
static_assert(1 + 7 + welcome_data_bytes == 168);

constexpr std::size_t initiate_nonce_at = cookie_bytes;
constexpr std::size_t initiate_box_at = initiate_nonce_at + short_nonce_bytes;
constexpr std::size_t initiate_content_bytes_min = curve_key_bytes + vouch_bytes;

curve_nonce short_nonce(std::string_view prefix, std::uint64_t number) noexcept {
  curve_nonce nonce{};
  std::copy(prefix.begin(), prefix.end(), nonce.begin());
  store_be64(nonce.data() + curve_nonce_bytes - short_nonce_bytes, number);
  return nonce;
}

curve_nonce long_nonce(std::string_view prefix, const std::uint8_t* bytes) noexcept {
  curve_nonce nonce{};
  std::copy(prefix.begin(), prefix.end(), nonce.begin());
  std::copy_n(bytes, long_nonce_bytes, nonce.begin() + prefix.size());
  return nonce;
}

constexpr std::string_view hello_prefix = "CurveZMQHELLO---";
constexpr std::string_view welcome_prefix = "WELCOME-";
constexpr std::string_view cookie_prefix = "COOKIE--";
constexpr std::string_view initiate_prefix = "CurveZMQINITIATE";
constexpr std::string_view vouch_prefix = "VOUCH---";
constexpr std::string_view ready_prefix = "CurveZMQREADY---";

curve_public_key take_key(const std::uint8_t* at) noexcept {
  curve_public_key key;
  std::copy_n(at, curve_key_bytes, key.begin());
  return key;
}

// The parts of the entropy, in the order in which they are handed out.
class entropy_reader {
 public:
  explicit entropy_reader(const curve_entropy& from) noexcept : at_(from.data()) {}
  template <class Bytes>
  void take(Bytes& out) noexcept {
    std::copy_n(at_, out.size(), out.data());
    at_ += out.size();
  }

 private:
  const std::uint8_t* at_;
};

using long_nonce_tail = std::array<std::uint8_t, long_nonce_bytes>;

class curve_client final : public mechanism {
 public:
  curve_client(bytes metadata, const curve_keys& keys, const curve_entropy& entropy)
      : ours_(std::move(metadata)), keys_(keys) {
    entropy_reader random(entropy);
    random.take(transient_secret_);
    random.take(vouch_nonce_);
  }

  std::string_view name() const noexcept override { return "CURVE"; }
  bool as_server() const noexcept override { return false; }
  const curve_traffic_keys* traffic_keys() const noexcept override { return &traffic_; }
  failure_reason admitted(bytes&) override { return failure_reason::unexpected_command; }

  failure_reason start(bytes& out) override {
    curve_secret_key to_server;
    if (!derive_public_key(transient_public_, transient_secret_) ||
        !derive_shared_key(to_server, keys_.server, transient_secret_)) {
      return failure_reason::cryptography;
    }
    std::uint8_t* data = append_command(out, "HELLO", hello_data_bytes);
    data[0] = 1;  // the version is 1.0; the padding is there already
    std::copy(transient_public_.begin(), transient_public_.end(), data + hello_key_at);
    store_be64(data + hello_nonce_at, ++traffic_.sent_nonce);
    constexpr std::array<std::uint8_t, signature_bytes> signature{};
    return seal_box(data + hello_box_at, signature, short_nonce(hello_prefix, traffic_.sent_nonce),
                    to_server)
               ? failure_reason::none
               : failure_reason::cryptography;
  }

  failure_reason receive(const command_view& command, std::size_t, bytes& out) override {
    if (command.name == "WELCOME" && !welcomed_) {
      return receive_welcome(command.data, out);
    }
    if (command.name == "READY" && welcomed_) {
      return receive_ready(command.data);
    }
    return failure_reason::unexpected_command;
  }

 private:
  failure_reason receive_welcome(byte_view data, bytes& out) {
    if (data.size() != welcome_data_bytes) {
      return failure_reason::malformed_command;
    }
    curve_secret_key to_server;
    secret_array<welcome_content_bytes> content;
    if (!derive_shared_key(to_server, keys_.server, transient_secret_) ||
        !open_box(content.data(), data.subspan(long_nonce_bytes),
                  long_nonce(welcome_prefix, data.data()), to_server)) {
      return failure_reason::cryptography;
    }
    welcomed_ = true;
    const curve_public_key server_transient = take_key(content.data());
    if (!derive_shared_key(traffic_.shared, server_transient, transient_secret_)) {
      return failure_reason::cryptography;
    }
    return send_initiate(server_transient, {content.data() + curve_key_bytes, cookie_bytes}, out);
  }

  failure_reason send_initiate(const curve_public_key& server_transient, byte_view cookie,
                               bytes& out) {
    std::array<std::uint8_t, vouch_content_bytes> vouched;
    std::copy(keys_.server.begin(), keys_.server.end(),
              std::copy(transient_public_.begin(), transient_public_.end(), vouched.begin()));
    bytes content(initiate_content_bytes_min + ours_.size());
    std::uint8_t* at = std::copy(keys_.ours.begin(), keys_.ours.end(), content.data());
    at = std::copy(vouch_nonce_.begin(), vouch_nonce_.end(), at);
    curve_secret_key vouching;
    if (!derive_shared_key(vouching, server_transient, keys_.secret) ||
        !seal_box(at, vouched, long_nonce(vouch_prefix, vouch_nonce_.data()), vouching)) {
      return failure_reason::cryptography;
    }
    std::copy(ours_.begin(), ours_.end(), content.data() + initiate_content_bytes_min);
    std::uint8_t* data =
        append_command(out, "INITIATE", initiate_box_at + content.size() + box_overhead_bytes);
    std::copy(cookie.begin(), cookie.end(), data);
    store_be64(data + initiate_nonce_at, ++traffic_.sent_nonce);
    return seal_box(data + initiate_box_at, content,
                    short_nonce(initiate_prefix, traffic_.sent_nonce), traffic_.shared)
               ? failure_reason::none
               : failure_reason::cryptography;
  }

  failure_reason receive_ready(byte_view data) {
    if (data.size() < short_nonce_bytes + box_overhead_bytes) {
      return failure_reason::malformed_command;
    }
    theirs_.resize(data.size() - short_nonce_bytes - box_overhead_bytes);
    traffic_.received_nonce = load_be64(data.data());
    if (!open_box(theirs_.data(), data.subspan(short_nonce_bytes),
                  short_nonce(ready_prefix, traffic_.received_nonce), traffic_.shared)) {
      return failure_reason::cryptography;
    }
    metadata_ = theirs_;
    complete_ = true;
    return failure_reason::none;
  }

  const bytes ours_;
  const curve_keys keys_;
  curve_secret_key transient_secret_;
  curve_public_key transient_public_{};
  long_nonce_tail vouch_nonce_{};
  curve_traffic_keys traffic_;
  bytes theirs_;
  bool welcomed_ = false;
};

class curve_server final : public mechanism {
 public:
  curve_server(bytes metadata, const curve_secret_key& secret, const curve_entropy& entropy)
      : ours_(std::move(metadata)), secret_(secret), entropy_(entropy) {
    traffic_.server = true;
  }

  std::string_view name() const noexcept override { return "CURVE"; }
  bool as_server() const noexcept override { return true; }
  const curve_traffic_keys* traffic_keys() const noexcept override { return &traffic_; }
  std::optional<credentials> inquiry() const override {
    if (!inquiring_) {
      return std::nullopt;
    }
    return credentials{"CURVE", {std::string(client_.begin(), client_.end())}};
  }

  failure_reason start(bytes&) override { return failure_reason::none; }

  failure_reason receive(const command_view& command, std::size_t body_bytes, bytes& out) override {
    if (command.name == "HELLO" && expected_ == expected::hello) {
      expected_ = expected::initiate;
      return body_bytes == hello_body_bytes ? receive_hello(command.data, out)
                                            : failure_reason::malformed_command;
    }
    if (command.name == "INITIATE" && expected_ == expected::initiate) {
      expected_ = expected::nothing;
      return receive_initiate(command.data);
    }
    return failure_reason::unexpected_command;
  }

  failure_reason admitted(bytes& out) override {
    inquiring_ = false;
    std::uint8_t* data =
        append_command(out, "READY", short_nonce_bytes + ours_.size() + box_overhead_bytes);
    store_be64(data, ++traffic_.sent_nonce);
    if (!seal_box(data + short_nonce_bytes, ours_, short_nonce(ready_prefix, traffic_.sent_nonce),
                  traffic_.shared)) {
      return failure_reason::cryptography;
    }
    complete_ = true;
    return failure_reason::none;
  }

 private:
  enum class expected : std::uint8_t { hello, initiate, nothing };

  failure_reason receive_hello(byte_view data, bytes& out) {
    const auto padding = data.subspan(2, padding_bytes);
    if (data[0] != 1 || data[1] != 0 ||
        std::any_of(padding.begin(), padding.end(), [](std::uint8_t byte) { return byte != 0; })) {
      return failure_reason::malformed_command;
    }
    const curve_public_key transient = take_key(data.data() + hello_key_at);
    traffic_.received_nonce = load_be64(data.data() + hello_nonce_at);
    curve_secret_key to_client;
    std::array<std::uint8_t, signature_bytes> signature;
    constexpr std::array<std::uint8_t, signature_bytes> zeros{};
    if (!derive_shared_key(to_client, transient, secret_) ||
        !open_box(signature.data(), data.subspan(hello_box_at),
                  short_nonce(hello_prefix, traffic_.received_nonce), to_client) ||
        !same_secret(signature.data(), zeros.data(), signature_bytes)) {
      return failure_reason::cryptography;
    }
    return send_welcome(transient, to_client, out);
  }

  failure_reason send_welcome(const curve_public_key& client_transient,
                              const curve_secret_key& to_client, bytes& out) {
    entropy_reader random(entropy_);
    curve_secret_key transient_secret;
    long_nonce_tail cookie_nonce;
    long_nonce_tail welcome_nonce;
    random.take(transient_secret);
    random.take(cookie_key_);
    random.take(cookie_nonce);
    random.take(welcome_nonce);
    curve_public_key transient_public;
    if (!derive_public_key(transient_public, transient_secret)) {
      return failure_reason::cryptography;
    }
    secret_array<cookie_content_bytes> cookie;
    std::copy_n(transient_secret.data(), curve_key_bytes,
                std::copy(client_transient.begin(), client_transient.end(), cookie.data()));
    std::array<std::uint8_t, welcome_content_bytes> content;
    std::uint8_t* at = std::copy(transient_public.begin(), transient_public.end(), content.data());
    at = std::copy(cookie_nonce.begin(), cookie_nonce.end(), at);
    std::uint8_t* data = append_command(out, "WELCOME", welcome_data_bytes);
    std::copy(welcome_nonce.begin(), welcome_nonce.end(), data);
    const bool sealed = seal_box(at, {cookie.data(), cookie.size()},
                                 long_nonce(cookie_prefix, cookie_nonce.data()), cookie_key_) &&
                        seal_box(data + long_nonce_bytes, content,
                                 long_nonce(welcome_prefix, welcome_nonce.data()), to_client);
    wipe(entropy_.data(), entropy_.size());  // s' is in the cookie alone now
    return sealed ? failure_reason::none : failure_reason::cryptography;
  }

  failure_reason receive_initiate(byte_view data) {
    constexpr std::size_t least = initiate_box_at + initiate_content_bytes_min + box_overhead_bytes;
    if (data.size() < least) {
      return failure_reason::malformed_command;
    }
    secret_array<cookie_content_bytes> cookie;
    const bool baked_here =
        open_box(cookie.data(), data.subspan(long_nonce_bytes, cookie_bytes - long_nonce_bytes),
                 long_nonce(cookie_prefix, data.data()), cookie_key_);
    wipe(cookie_key_.data(), cookie_key_.size());
    const std::uint64_t nonce = load_be64(data.data() + initiate_nonce_at);
    if (!baked_here || nonce <= traffic_.received_nonce) {
      return failure_reason::cryptography;
    }
    traffic_.received_nonce = nonce;
    const curve_public_key client_transient = take_key(cookie.data());
    curve_secret_key transient_secret;
    std::copy_n(cookie.data() + curve_key_bytes, curve_key_bytes, transient_secret.data());
    bytes content(data.size() - initiate_box_at - box_overhead_bytes);
    if (!derive_shared_key(traffic_.shared, client_transient, transient_secret) ||
        !open_box(content.data(), data.subspan(initiate_box_at),
                  short_nonce(initiate_prefix, nonce), traffic_.shared)) {
      return failure_reason::cryptography;
    }
    client_ = take_key(content.data());
    if (!is_vouched_for(byte_view(content).subspan(curve_key_bytes, vouch_bytes), client_transient,
                        transient_secret)) {
      return failure_reason::cryptography;
    }
    theirs_.assign(content.begin() + initiate_content_bytes_min, content.end());
    metadata_ = theirs_;
    inquiring_ = true;
    return failure_reason::none;
  }

  // The holder of C's secret key has made C' for a connection with us.
  bool is_vouched_for(byte_view vouch, const curve_public_key& client_transient,
                      const curve_secret_key& transient_secret) const noexcept {
    curve_public_key server;
    curve_secret_key vouching;
    std::array<std::uint8_t, vouch_content_bytes> vouched;
    return derive_public_key(server, secret_) &&
           derive_shared_key(vouching, client_, transient_secret) &&
           open_box(vouched.data(), vouch.subspan(long_nonce_bytes),
                    long_nonce(vouch_prefix, vouch.data()), vouching) &&
           same_secret(vouched.data(), client_transient.data(), curve_key_bytes) &&
           same_secret(vouched.data() + curve_key_bytes, server.data(), curve_key_bytes);
  }

  const bytes ours_;
  const curve_secret_key secret_;
  curve_entropy entropy_;
  curve_secret_key cookie_key_;
  curve_public_key client_{};
  curve_traffic_keys traffic_;
  bytes theirs_;
  expected expected_ = expected::hello;
};

}  // namespace

std::unique_ptr<mechanism> make_curve_client(mechanism::bytes metadata, const curve_keys& keys,
                                             const curve_entropy& entropy) {
  return std::make_unique<curve_client>(std::move(metadata), keys, entropy);
}

std::unique_ptr<mechanism> make_curve_server(mechanism::bytes metadata,
                                             const curve_secret_key& secret,
                                             const curve_entropy& entropy) {
  return std::make_unique<curve_server>(std::move(metadata), secret, entropy);
}

}  // namespace slk
