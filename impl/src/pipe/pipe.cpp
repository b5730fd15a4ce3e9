#include "pipe/pipe.hpp"

namespace slk {

bool pipe::peek_slow() noexcept {
  for (;;) {
    std::size_t wanted_bytes = 0;
    switch (scan(wanted_bytes)) {
      case scan_result::whole:
        frame_ready_ = true;
        return true;
      case scan_result::command: {
        const std::uint8_t* body = cursor_ + header_.header_bytes;
        cursor_ = body + header_.body_bytes;
        if (!command_received(body, static_cast<std::size_t>(header_.body_bytes))) {
          return false;
        }
        break;
      }
      case scan_result::broken:
        protocol_broken();
        return false;
      case scan_result::incomplete:
        if (!refill(wanted_bytes)) {
          return false;
        }
        if (staged_) {
          frame_ready_ = true;
          return true;
        }
        break;
    }
  }
}

// Looks whether a whole message, or a command in front of one, starts at cursor_.
// On `whole` and `command`, header_ is that of its first frame.
pipe::scan_result pipe::scan(std::size_t& wanted_bytes) noexcept {
  const std::uint8_t* at = cursor_;
  bool first = true;
  for (;;) {
    frame_header header;
    const auto available = static_cast<std::size_t>(limit_ - at);
    const auto before = static_cast<std::size_t>(at - cursor_);
    if (!decode_frame_header(at, available, header)) {
      wanted_bytes = before + frame_header_bytes_max;
      return scan_result::incomplete;
    }
    if (header.body_bytes > frame_bytes_max_) {
      return scan_result::broken;
    }
    if (first) {
      header_ = header;
    }
    if (header.body_bytes > available - header.header_bytes) {
      wanted_bytes = before + header.header_bytes + static_cast<std::size_t>(header.body_bytes);
      return scan_result::incomplete;
    }
    if (header.command()) {
      if (first) {
        return scan_result::command;
      }
    } else if (!header.more()) {
      return scan_result::whole;
    }
    first = false;
    at += header.header_bytes + header.body_bytes;
  }
}

// The frame taken had `more`: the next one is here whole, maybe behind commands.
void pipe::next_part() noexcept {
  reading_ = true;
  for (;;) {
    // Cannot fail: scan() saw the message to its end.
    static_cast<void>(
        decode_frame_header(cursor_, static_cast<std::size_t>(limit_ - cursor_), header_));
    if (!header_.command()) {
      return;
    }
    const std::uint8_t* body = cursor_ + header_.header_bytes;
    cursor_ = body + header_.body_bytes;
    static_cast<void>(command_received(body, static_cast<std::size_t>(header_.body_bytes)));
  }
}

}  // namespace slk
