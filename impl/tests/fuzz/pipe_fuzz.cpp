// A connection's input, from the kernel's buffer to messages: a stream_pipe on a socket pair, fed
// with a script of frames, bytes, pauses and losses of the connection. What comes out is compared
// with a decoder of a few lines. The I/O thread does not run meanwhile: a script has one outcome.
//
// Input: MAXMSGSIZE, a seed of cuts, then steps (see next_step()).
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"
#include "fuzz_input.hpp"
#include "io/io_thread.hpp"
#include "pipe/stream_pipe.hpp"
#include "wire/frame.hpp"

namespace {

using message = std::vector<std::string>;

constexpr std::size_t stream_bytes_max = 1024 * 1024;  // of a script

class owner final : public slk::stream_owner {
 public:
  void want_writable() noexcept override {}
  void peer_broke_protocol() noexcept override { broken = true; }
  void replaced() noexcept override {}
  bool broken = false;
};

// What a connection's bytes mean. A command above half a slab may be taken or refused, depending
// on how it arrives: from there on anything goes.
struct meaning {
  std::vector<message> messages;
  bool broken = false;
  bool ambiguous = false;
};

void decode(const std::string& stream, std::uint64_t frame_bytes_max, meaning& out) {
  message unfinished;
  std::size_t at = 0;
  for (;;) {
    slk::frame_header header;
    const auto* data = reinterpret_cast<const std::uint8_t*>(stream.data()) + at;
    if (!slk::decode_frame_header(data, stream.size() - at, header)) {
      return;
    }
    if (header.body_bytes > frame_bytes_max) {
      out.broken = true;
      return;
    }
    if (header.command() && header.body_bytes > slk::stream_reader::slab_bytes / 2) {
      out.ambiguous = true;
      return;
    }
    at += header.header_bytes;
    if (header.body_bytes > stream.size() - at) {
      return;
    }
    const auto size = static_cast<std::size_t>(header.body_bytes);
    if (!header.command()) {
      unfinished.push_back(stream.substr(at, size));
      if (!header.more()) {
        out.messages.push_back(std::move(unfinished));
        unfinished.clear();
      }
    }
    at += size;
  }
}

// It does not run while a script does; between scripts, now and then, to drop what was left to it.
class idle_io_thread {
 public:
  ~idle_io_thread() { drop_what_was_left(); }
  slk::io_thread& get() {
    if (++scripts_ % 100 == 0) {
      drop_what_was_left();
      thread_ = std::make_unique<slk::io_thread>();
    }
    return *thread_;
  }

 private:
  void drop_what_was_left() {
    thread_->start();
    thread_->stop();
  }

  std::unique_ptr<slk::io_thread> thread_ = std::make_unique<slk::io_thread>();
  int scripts_ = 0;
};

slk::io_thread& io_thread_between_scripts() {
  static idle_io_thread thread;
  return thread.get();
}

// One connection after the other, into one pipe.
class subject_pipe {
 public:
  subject_pipe(std::int64_t max_bytes, std::uint32_t seed)
      : frame_bytes_max_(max_bytes < 0 ? slk::frame_body_bytes_max
                                       : static_cast<std::uint64_t>(max_bytes)),
        cuts_(seed),
        pipe_(
            std::make_shared<slk::stream_pipe>(io_thread_between_scripts(), inbox_,
                                               slk::stream_pipe::settings{1000, max_bytes, true})) {
    connect();
  }
  ~subject_pipe() {
    pipe_->close(false);
    static_cast<void>(inbox_->close());
  }
  subject_pipe(const subject_pipe&) = delete;
  subject_pipe& operator=(const subject_pipe&) = delete;

  void send(std::string_view bytes) {
    if (total_bytes_ + bytes.size() > stream_bytes_max) {
      return;
    }
    total_bytes_ += bytes.size();
    stream_ += bytes;
    while (!bytes.empty()) {
      const std::size_t piece = cuts_.next(std::min<std::size_t>(bytes.size(), 100'000));
      const ssize_t sent = ::send(far_.get(), bytes.data(), piece, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        bytes.remove_prefix(static_cast<std::size_t>(sent));
        continue;
      }
      const std::size_t before = arrivals();
      receive();
      if (arrivals() == before) {
        return;  // nobody reads a peer that broke the protocol
      }
    }
  }

  // The application looks.
  void receive() {
    do {
      take_messages();
    } while (!inbox_->take().empty());  // it had made room for others
    std::array<char, 65536> replies;
    while (::recv(far_.get(), replies.data(), replies.size(), MSG_DONTWAIT) > 0) {
    }
  }

  void take_messages() {
    while (pipe_->peek()) {
      message parts;
      slk::frame_view view;
      do {
        fuzz::require(pipe_->peek(), "a message is whole");
        pipe_->take(view);
        parts.emplace_back(reinterpret_cast<const char*>(view.data), view.size_bytes);
        fuzz::require(view.more == pipe_->reading(), "a part tells of the next");
      } while (view.more);
      received_.push_back(std::move(parts));
    }
  }

  // The I/O thread looks, since the application has not for long.
  void attend() {
    pipe_->attend_silence();
    gave_up_ = gave_up_ || owner_.broken;
  }

  // The peer is gone, and another one comes.
  void reconnect() {
    pipe_->close(true);
    ours_.reset();
    end_connection();
    connect();
  }

  // Compares what came with what was meant.
  void finish() {
    receive();
    end_connection();
    fuzz::require(received_.size() <= expected_.messages.size() || expected_.ambiguous,
                  "nothing is made up");
    const std::size_t count = std::min(received_.size(), expected_.messages.size());
    for (std::size_t i = 0; i < count; ++i) {
      fuzz::require(received_[i] == expected_.messages[i], "messages are as sent");
    }
    fuzz::require(received_.size() >= expected_.messages.size() || expected_.ambiguous || gave_up_,
                  "nothing is lost");
  }

 private:
  void connect() {
    std::array<int, 2> fds{};
    fuzz::require(
        ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0,
        "a socket pair");
    ours_.reset(fds[0]);
    far_.reset(fds[1]);
    pipe_->open(owner_, ours_.get(), 0, {});
  }

  void end_connection() {
    // Behind a breach of the protocol the pipe reads no more, of later connections either.
    if (!expected_.broken && !expected_.ambiguous) {
      decode(stream_, frame_bytes_max_, expected_);
    }
    stream_.clear();
    far_.reset();
  }

  std::size_t arrivals() { return pipe_->reader().arrivals(); }

  const std::uint64_t frame_bytes_max_;
  fuzz::cuts cuts_;
  owner owner_;
  std::shared_ptr<slk::inbox> inbox_ = std::make_shared<slk::inbox>();
  std::shared_ptr<slk::stream_pipe> pipe_;
  slk::unique_fd ours_;
  slk::unique_fd far_;
  std::string stream_;
  std::size_t total_bytes_ = 0;
  meaning expected_;
  std::vector<message> received_;
  bool gave_up_ = false;
};

std::string frame_of(std::uint8_t flags, std::size_t size, char filler) {
  std::string bytes(slk::frame_header_bytes_max + size, filler);
  const std::size_t header_bytes = slk::encode_frame_header(
      reinterpret_cast<std::uint8_t*>(bytes.data()), size,
      static_cast<std::uint8_t>(flags & (slk::flag_more | slk::flag_command)));
  bytes.resize(header_bytes + size);
  return bytes;
}

void next_step(fuzz::input& input, subject_pipe& subject) {
  switch (input.byte() % 8) {
    case 0: {
      const fuzz::bytes literal = input.take(input.byte());
      subject.send({reinterpret_cast<const char*>(literal.data()), literal.size()});
      break;
    }
    case 1: {
      const std::uint8_t flags = input.byte();
      subject.send(frame_of(flags & slk::flag_more, input.number(3) % 400'000, 'm'));
      break;
    }
    case 2:
      subject.send(frame_of(input.byte(), input.byte(), 's'));
      break;
    case 3: {
      const std::string context(input.byte() % 20, 'c');
      std::string ping("\4\7\4PING\0\0", 9);
      ping[1] = static_cast<char>(7 + context.size());
      ping[8] = static_cast<char>(input.byte());
      subject.send(ping + context);
      break;
    }
    case 4: {
      const std::uint8_t count = input.byte();
      for (int i = 0; i < count; ++i) {
        subject.send(frame_of(i % 3 == 0 ? slk::flag_more : std::uint8_t{0}, count, 'r'));
      }
      break;
    }
    case 5:
      subject.attend();
      break;
    case 6:
      subject.reconnect();
      break;
    default:
      subject.receive();
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::array<std::int64_t, 6> limits{-1, -1, 0, 100, 70'000, 300'000};
  fuzz::input input({data, size});
  const std::int64_t max_bytes = limits[input.byte() % limits.size()];
  // Large streams are not cut into single bytes.
  const std::uint32_t seed = input.byte() % 4 == 0 ? fuzz::cuts::whole : 2000 + input.byte();
  subject_pipe subject(max_bytes, seed);
  for (int steps = 0; steps < 64 && !input.empty(); ++steps) {
    next_step(input, subject);
  }
  subject.finish();
  return 0;
}
