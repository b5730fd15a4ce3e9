#include "pipe/stream_pipe.hpp"

#include <algorithm>
#include <array>

#include "wire/command.hpp"

namespace slk {

stream_pipe::stream_pipe(io_thread& io, std::shared_ptr<inbox> owner, const settings& with)
    : pipe(nullptr, true),
      io_(io),
      inbox_(std::move(owner)),
      send_mark_(with.send_mark),
      reads_on_io_thread_(!with.application_reads),
      writer_(io.chunks()) {
  out_ = &writer_.ring();
  run_ahead_chunks_max_ = run_ahead_chunks;
  if (with.frame_bytes_max >= 0) {
    frame_bytes_max_ = static_cast<std::uint64_t>(with.frame_bytes_max);
  }
}

stream_pipe::~stream_pipe() {
  if (body_ != nullptr) {
    body_->release();
  }
}

// -- outgoing, application's thread ---------------------------------------------------------------

void stream_pipe::set_high_water_marks(std::uint64_t send, std::uint64_t) noexcept {
  send_mark_ = send;
  room_limit_ = 0;  // look again
}

bool stream_pipe::find_room() noexcept {
  if (input_ended_) {
    return false;
  }
  if (send_mark_ == 0) {
    room_limit_ = unlimited;
    return true;
  }
  room_limit_ = writer_.flushed_messages() + send_mark_;
  if (written_messages_ >= room_limit_ && flush() == flush_result::complete) {
    unflushed_bytes = 0;
    room_limit_ = writer_.flushed_messages() + send_mark_;
  }
  const bool found = written_messages_ < room_limit_;
  room_wanted_.store(!found, std::memory_order_relaxed);  // pairs with: on_patrol(), by arm()
  return found;
}

int stream_pipe::write_large(const std::uint8_t* data, std::size_t size_bytes) noexcept {
  if (flushing.gathers && writer_.gathers(size_bytes)) {
    return append(data, size_bytes, false, [this] { count_published(); });
  }
  std::array<std::uint8_t, frame_header_bytes_max> header;
  const std::size_t header_bytes = encode_frame_header(header.data(), size_bytes, 0);
  const std::span<const std::uint8_t> head(header.data(), header_bytes);
  const std::span<const std::uint8_t> body(data, size_bytes);
  using kind = stream_writer::direct_outcome::kind;
  auto outcome = writer_.send_direct(head, body, flushing.burst != nullptr && *flushing.burst);
  if (outcome.what == kind::refused) {
    // What is in the ring goes first; a blocked connection refuses again.
    static_cast<void>(flush());
    outcome = writer_.send_direct(head, body, false);
  }
  if (outcome.what == kind::refused) {
    return append(data, size_bytes, false, [this] { count_published(); });
  }
  unflushed_bytes = outcome.left_bytes;
  ++written_messages_;
  count_published();
  return 0;
}

void stream_pipe::arm() noexcept {
  // pairs with: on_patrol(). A read-modify-write on both sides, so one sees the other.
  if (!armed_.exchange(true, std::memory_order_acq_rel)) {
    io_.arm(std::static_pointer_cast<stream_pipe>(shared_from_this()));
  }
}

// -- incoming, application's thread ---------------------------------------------------------------

bool stream_pipe::refill(std::size_t wanted_bytes) noexcept {
  if (staging_) {
    return stage();
  }
  if (wanted_bytes > stream_reader::slab_bytes) {
    staging_ = true;
    return stage();
  }
  if (turn_is_over()) {
    return false;
  }
  const std::span<const std::uint8_t> unread{cursor_, static_cast<std::size_t>(limit_ - cursor_)};
  for (;;) {
    const stream_reader::outcome got = reader_.read_more(unread);
    count_read(got);
    switch (got) {
      case stream_reader::outcome::bytes:
        return view_slab();
      case stream_reader::outcome::nothing:
        view_slab();
        return false;
      case stream_reader::outcome::restart:
        restart_input();
        return refill(0);
      case stream_reader::outcome::full:
        view_slab();
        return refill(stream_reader::slab_bytes + 1);
      case stream_reader::outcome::broken:
        protocol_broken();
        return false;
    }
  }
}

// Others have their turn now; the inbox, or the I/O thread's poller, brings the pipe up again.
bool stream_pipe::turn_is_over() noexcept {
  if (messages_before_ != read_messages_ && !reads_on_io_thread_) {
    messages_before_ = read_messages_;
    vain_work_ = 0;
  }
  if (vain_work_ < vain_work_max) [[likely]] {
    return false;
  }
  vain_work_ = 0;
  if (reads_on_io_thread_) {
    return true;
  }
  try {
    inbox_->post({socket_event::kind::received, shared_from_this(), {}, {}});
    return true;
  } catch (...) {
    return false;  // out of memory: go on, then
  }
}

void stream_pipe::count_read(stream_reader::outcome got) noexcept {
  answered_ = false;
  if (got == stream_reader::outcome::nothing) {
    vain_work_ = 0;
    return;
  }
  vain_work_ += work_of_a_read;
  if (reader_.read_was_awaited() && !tell_session(&stream_owner::application_reads)) [[unlikely]] {
    reader_.await_read(true);  // out of memory: the next one, then
  }
}

bool stream_pipe::view_slab() noexcept {
  const auto slab = reader_.slab();
  cursor_ = slab.empty() ? &no_bytes : slab.data();
  limit_ = slab.empty() ? &no_bytes : slab.data() + slab.size();
  return true;
}

// The connection ended in the middle of a message: none of it is ever delivered.
void stream_pipe::restart_input() noexcept {
  cursor_ = limit_ = &no_bytes;
  staged_frames_.clear();
  staging_ = false;
  if (body_ != nullptr) {
    body_->release();
    body_ = nullptr;
  }
}

// Reads a message that is larger than the slab. True: it is whole (staged_), or is no more.
bool stream_pipe::stage() noexcept {
  for (;;) {
    if (body_ == nullptr) {
      switch (absorb_slab()) {
        case absorb_result::whole:
          return true;
        case absorb_result::broken:
          protocol_broken();
          return false;
        case absorb_result::need_more:
          break;
      }
    }
    if (turn_is_over()) {
      return false;
    }
    std::size_t direct_bytes = 0;
    stream_reader::outcome got;
    if (body_ != nullptr) {
      if (!grow_body()) {
        protocol_broken();  // no memory for what the peer sends: drop the peer, keep the process
        return false;
      }
      const bool last_piece = body_->capacity() == body_bytes_;
      got = reader_.read_direct({body_->data() + body_->size(), body_->capacity() - body_->size()},
                                last_piece, direct_bytes);
      body_->set_size(body_->size() + direct_bytes);
    } else {
      got = reader_.read_more({cursor_, static_cast<std::size_t>(limit_ - cursor_)});
    }
    count_read(got);
    view_slab();
    switch (got) {
      case stream_reader::outcome::nothing:
        return false;
      case stream_reader::outcome::restart:
        restart_input();
        return true;  // scan what comes next
      case stream_reader::outcome::broken:
        protocol_broken();
        return false;
      case stream_reader::outcome::full:
      case stream_reader::outcome::bytes:
        break;
    }
    if (body_ != nullptr && body_->size() == body_bytes_ && finish_body()) {
      return true;
    }
  }
}

// Moves the frames in view to staged_frames_, the last, cut-off one to body_. All of them, however
// many: what it left in view would be taken for the start of a message.
stream_pipe::absorb_result stream_pipe::absorb_slab() noexcept {
  for (;;) {
    frame_header header;
    const auto available = static_cast<std::size_t>(limit_ - cursor_);
    if (!decode_frame_header(cursor_, available, header)) {
      return absorb_result::need_more;
    }
    if (header.body_bytes > frame_bytes_max_) {
      return absorb_result::broken;
    }
    const std::size_t present =
        std::min<std::uint64_t>(available - header.header_bytes, header.body_bytes);
    if (header.command()) {
      if (present < header.body_bytes) {
        // Commands are small; one that outgrows the slab is no command of this protocol.
        return header.body_bytes > stream_reader::slab_bytes / 2 ? absorb_result::broken
                                                                 : absorb_result::need_more;
      }
      const std::uint8_t* body = cursor_ + header.header_bytes;
      cursor_ = body + present;
      obey({body, present});
      continue;
    }
    const std::uint8_t* body = cursor_ + header.header_bytes;
    cursor_ = body + present;
    if (!begin_body(header, {body, present})) {
      return absorb_result::broken;
    }
    if (present < header.body_bytes) {
      return absorb_result::need_more;
    }
    if (finish_body()) {
      return absorb_result::whole;
    }
    ++vain_work_;
  }
}

bool stream_pipe::begin_body(const frame_header& header,
                             std::span<const std::uint8_t> present) noexcept {
  // Never ahead of the data received by more than a slab: a header alone must not cost memory.
  const std::uint64_t capacity =
      std::min<std::uint64_t>(header.body_bytes, present.size() + stream_reader::slab_bytes);
  try {
    staged_frames_.emplace_back();  // for finish_body()
  } catch (...) {
    return false;
  }
  body_ = message_block::allocate(static_cast<std::size_t>(std::max<std::uint64_t>(capacity, 1)));
  if (body_ == nullptr) {
    return false;
  }
  body_bytes_ = header.body_bytes;
  body_more_ = header.more();
  if (!present.empty()) {
    copy_bytes(body_->data(), present.data(), present.size());
  }
  body_->set_size(present.size());
  return true;
}

bool stream_pipe::grow_body() noexcept {
  if (body_->size() < body_->capacity()) {
    return true;
  }
  const std::uint64_t capacity =
      std::min<std::uint64_t>(body_bytes_, 2 * std::uint64_t{body_->capacity()});
  message_block* grown = message_block::grow(body_, static_cast<std::size_t>(capacity));
  if (grown == nullptr) {
    return false;
  }
  body_ = grown;
  return true;
}

// True: it was the last frame of its message.
bool stream_pipe::finish_body() noexcept {
  message frame;
  frame.adopt_block(body_);
  body_ = nullptr;
  frame.set_more(body_more_);
  staged_frames_.back() = std::move(frame);
  staged_ = !body_more_;
  staging_ = body_more_;
  return staged_;
}

void stream_pipe::take_staged(frame_view& frame) noexcept {
  staged_current_ = std::move(staged_frames_.front());
  staged_frames_.pop_front();
  frame = {staged_current_.data(), staged_current_.size(), staged_current_.more(),
           &staged_current_};
  if (frame.more) {
    reading_ = true;
  } else {
    staged_ = false;
    message_taken();
  }
}

bool stream_pipe::command_received(const std::uint8_t* body, std::size_t size_bytes) noexcept {
  obey({body, size_bytes});
  return !turn_is_over();
}

void stream_pipe::obey(std::span<const std::uint8_t> command) noexcept {
  ++vain_work_;
  answer_if_ping(command);
  if (!writer_.has_control()) {
    return;
  }
  if (answered_) {
    arm();  // a peer that sends many at once has no right to a system call for each
  } else if (reads_on_io_thread_) {
    flush_on_io_thread();
  } else if (flush() != flush_result::complete) {
    arm();
  }
  answered_ = true;
}

// Unknown commands are ignored, as their senders expect.
void stream_pipe::answer_if_ping(std::span<const std::uint8_t> command) noexcept {
  command_view parsed;
  ping_view ping;
  if (parse_command(command, parsed) && parsed.name == "PING" && parse_ping(parsed.data, ping)) {
    std::array<std::uint8_t, pong_frame_bytes_max> pong;
    writer_.queue_control({pong.data(), encode_pong(pong.data(), ping.context)});
    const bool first = !peer_pings_.exchange(true, std::memory_order_relaxed);
    const std::uint16_t ttl_before =
        peer_ttl_tenths_.exchange(ping.ttl_tenths, std::memory_order_relaxed);
    if ((first || ttl_before != ping.ttl_tenths) &&
        !telling_ping_.exchange(true, std::memory_order_acq_rel) &&  // pairs with: tell_of_ping()
        !on_io_thread([](stream_pipe& self) { self.tell_of_ping(); })) {
      telling_ping_.store(false, std::memory_order_relaxed);
      peer_pings_.store(false, std::memory_order_relaxed);  // the next PING brings it up again
    }
  }
}

void stream_pipe::protocol_broken() noexcept {
  forget_input();
  if (!tell_session(&stream_owner::peer_broke_protocol)) {
    writer_.abort();
  }
}

void stream_pipe::end_connection() noexcept {
  if (!tell_session(&stream_owner::replaced)) {
    writer_.abort();
  }
}

// I/O thread.
void stream_pipe::tell_of_ping() noexcept {
  // Before the session looks at what the PING said. pairs with: answer_if_ping()
  telling_ping_.exchange(false, std::memory_order_acq_rel);
  if (session_ != nullptr) {
    session_->peer_pings_anew();
  }
}

bool stream_pipe::tell_session(void (stream_owner::*what)() noexcept) noexcept {
  return on_io_thread([what](stream_pipe& self) {
    if (self.session_ != nullptr) {
      (self.session_->*what)();
    }
  });
}

template <class Task>
bool stream_pipe::on_io_thread(Task task) noexcept {
  auto self = std::static_pointer_cast<stream_pipe>(shared_from_this());
  try {
    io_.post([weak = std::weak_ptr(self), task] {
      if (const auto alive = weak.lock(); alive != nullptr) {
        task(*alive);
      }
    });
    return true;
  } catch (...) {
    return false;
  }
}

void stream_pipe::abandon_input() noexcept {
  if (!reads_on_io_thread_) {
    forget_input();
  }  // else there is none for the application, and the I/O thread may be reading just now
}

void stream_pipe::forget_input() noexcept {
  restart_input();
  staged_ = frame_ready_ = reading_ = false;
  reader_.abandon();
}

}  // namespace slk
