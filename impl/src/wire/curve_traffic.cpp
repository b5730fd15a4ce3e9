#include "wire/curve_traffic.hpp"

#include <algorithm>
#include <string_view>

namespace slk {
namespace {

constexpr std::string_view message_name = "\7MESSAGE";
constexpr std::size_t nonce_at = message_name.size();
constexpr std::size_t box_at = nonce_at + 8;
constexpr std::uint8_t sealed_flag_more = 1;
constexpr std::uint8_t sealed_flag_command = 2;

curve_nonce message_nonce(bool from_server, std::uint64_t number) noexcept {
  constexpr std::string_view prefix = "CurveZMQMESSAGE";
  curve_nonce nonce{};
  std::copy(prefix.begin(), prefix.end(), nonce.begin());
  nonce[prefix.size()] = from_server ? 'S' : 'C';
  store_be64(nonce.data() + prefix.size() + 1, number);
  return nonce;
}

}  // namespace

void frame_sealer::seal(std::uint8_t flags, std::span<const std::uint8_t> body,
                        std::vector<std::uint8_t>& out) {
  content_.resize(1 + body.size());
  content_[0] = static_cast<std::uint8_t>(((flags & flag_more) != 0 ? sealed_flag_more : 0) |
                                          ((flags & flag_command) != 0 ? sealed_flag_command : 0));
  std::copy(body.begin(), body.end(), content_.begin() + 1);
  const std::size_t before = out.size();
  out.resize(before + static_cast<std::size_t>(sealed_frame_bytes(body.size())));
  std::uint8_t* at = out.data() + before;
  at += encode_frame_header(at, body.size() + message_overhead_bytes, 0);
  std::copy(message_name.begin(), message_name.end(), at);
  store_be64(at + nonce_at, ++keys_.sent_nonce);
  // Cannot fail: the memory is there, and so is the cipher, since there are keys.
  static_cast<void>(
      seal_box(at + box_at, content_, message_nonce(keys_.server, keys_.sent_nonce), keys_.shared));
}

bool frame_opener::open(std::span<const std::uint8_t> sealed_body, std::vector<std::uint8_t>& out) {
  if (sealed_body.size() < message_overhead_bytes ||
      !std::equal(message_name.begin(), message_name.end(), sealed_body.begin(),
                  [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; })) {
    return false;
  }
  const std::uint64_t nonce = load_be64(sealed_body.data() + nonce_at);
  if (nonce <= keys_.received_nonce) {
    return false;
  }
  content_.resize(sealed_body.size() - box_at - box_overhead_bytes);
  if (!open_box(content_.data(), sealed_body.subspan(box_at), message_nonce(!keys_.server, nonce),
                keys_.shared)) {
    return false;
  }
  keys_.received_nonce = nonce;
  const bool command = (content_[0] & sealed_flag_command) != 0;
  const bool more = !command && (content_[0] & sealed_flag_more) != 0;
  const std::size_t body_bytes = content_.size() - 1;
  const std::size_t before = out.size();
  out.resize(before + frame_header_bytes(body_bytes) + body_bytes);
  std::uint8_t* at = out.data() + before;
  at += encode_frame_header(at, body_bytes, command ? flag_command : more ? flag_more : 0);
  std::copy(content_.begin() + 1, content_.end(), at);
  return true;
}

}  // namespace slk
