#include "socket/zap_client.hpp"

#include <sys/epoll.h>

#include <new>
#include <span>
#include <string>
#include <vector>

#include "io/io_thread.hpp"
#include "pipe/inproc_pipe.hpp"
#include "wire/command.hpp"

namespace slk {

namespace {

const std::string handler_name = "zeromq.zap.01";
constexpr std::string_view version = "1.0";
constexpr std::string_view request_id = "1";  // there is one question for each connection

verdict parse_answer(std::span<const std::string> frames) {
  verdict answer;
  answer.what = verdict::kind::malformed;
  if (frames.size() != 7 || !frames[0].empty() || frames[1] != version || frames[2] != request_id) {
    return answer;
  }
  const std::string& status = frames[3];
  if (status != "200" && status != "300" && status != "400" && status != "500") {
    return answer;
  }
  if (!frames[5].empty()) {
    answer.metadata.emplace_back("User-Id", frames[5]);
  }
  const std::string& metadata = frames[6];
  metadata_reader reader({reinterpret_cast<const std::uint8_t*>(metadata.data()), metadata.size()});
  property_view property;
  while (reader.next(property)) {
    answer.metadata.emplace_back(property.name, property.value);
  }
  if (!reader.malformed()) {
    answer.what = status == "200" ? verdict::kind::admitted : verdict::kind::denied;
    answer.status = status;
  }
  return answer;
}

// One question; both ends of its pipe's life are on the I/O thread.
class zap_inquiry final : public inquiry,
                          public event_handler,
                          public std::enable_shared_from_this<zap_inquiry> {
 public:
  zap_inquiry(io_thread& io, authenticator::answer then) : io_(io), then_(std::move(then)) {}
  ~zap_inquiry() override { let_go(); }

  void start(inproc_registry& registry, const authenticator::question& about) {
    registry_ = &registry;
    pipe_ = registry.connect(handler_name, {inbox_, {}, 0, 0}).pipe;
    const std::vector<std::string_view> head = {"",           version,       request_id,
                                                about.domain, about.address, about.routing_id};
    for (const std::string_view part : head) {
      write(part, true);
    }
    write(about.shown.mechanism, !about.shown.shown.empty());
    for (const std::string& part : about.shown.shown) {
      write(part, &part != &about.shown.shown.back());
    }
    io_.adopt(shared_from_this());
    adopted_ = true;
    inbox_->signal().prepare_sleep(true);
    if (io_.watch(inbox_->signal().fd(), EPOLLIN, *this) != 0) {
      throw std::bad_alloc();
    }
    watched_ = true;
    if (pipe_->peek() || inbox_->has_events()) {
      inbox_->signal().wake_if_sleeping();  // the answer was faster, and woke nobody
    }
  }

  void on_events(std::uint32_t) noexcept override {
    inbox_->signal().finish_sleep();
    inbox_->signal().prepare_sleep(true);  // then look: what comes later wakes again
    const bool handler_left = has_ended();
    if (then_ == nullptr || (!pipe_->peek() && !handler_left)) {
      return;
    }
    verdict answer;
    try {
      if (pipe_->peek()) {
        answer = parse_answer(read());
      }
    } catch (...) {
      answer = {};
    }
    const authenticator::answer then = std::move(then_);
    cancel();
    then(answer);
  }

  void cancel() noexcept override {
    then_ = nullptr;
    let_go();
    if (adopted_) {
      adopted_ = false;
      io_.retire(*this);
    }
  }

 private:
  void write(std::string_view part, bool more) {
    if (pipe_->write(reinterpret_cast<const std::uint8_t*>(part.data()), part.size(), more) != 0) {
      throw std::bad_alloc();
    }
  }

  std::vector<std::string> read() {
    std::vector<std::string> frames;
    frame_view frame;
    do {
      pipe_->take(frame);
      frames.emplace_back(reinterpret_cast<const char*>(frame.data), frame.size_bytes);
    } while (frame.more);
    return frames;
  }

  bool has_ended() noexcept {
    bool ended = false;
    for (const socket_event& event : inbox_->take()) {
      ended = ended || event.what == socket_event::kind::ended;
    }
    return ended;
  }

  void let_go() noexcept {
    if (watched_) {
      watched_ = false;
      io_.unwatch(inbox_->signal().fd());
    }
    if (pipe_ != nullptr) {
      pipe_->leave();
      pipe_.reset();
      registry_->forget_waiting(inbox_.get(), true);  // the handler may just have gone
      static_cast<void>(inbox_->close());
    }
  }

  io_thread& io_;
  authenticator::answer then_;
  const std::shared_ptr<inbox> inbox_ = std::make_shared<inbox>();
  inproc_registry* registry_ = nullptr;
  std::shared_ptr<inproc_pipe> pipe_;
  bool adopted_ = false;
  bool watched_ = false;
};

}  // namespace

std::shared_ptr<inquiry> zap_client::ask(io_thread& io, const question& about, answer then) {
  if (!registry_.is_bound(handler_name)) {
    return nullptr;
  }
  auto asking = std::make_shared<zap_inquiry>(io, std::move(then));
  try {
    asking->start(registry_, about);
  } catch (...) {
    asking->cancel();
    throw;
  }
  return asking;
}

}  // namespace slk
