// SPDX-License-Identifier: Apache-2.0
#include "support/peer.hpp"

#include <algorithm>
#include <utility>

namespace tunnel::test {
namespace {

Task<Result<void>> send_part(Stream& to, std::uint64_t from, std::uint64_t bytes) {
  for (std::uint64_t done = 0; done < bytes;) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes - done, 16384));
    Buffer buffer(pattern(from + done, n));
    Result<void> written = co_await to.write(buffer);
    if (!written.ok()) co_return written;
    done += n;
  }
  co_return Result<void>();
}

Task<Result<void>> send_part_and_finish(Stream& to, std::uint64_t from, std::uint64_t bytes) {
  Result<void> sent = co_await send_part(to, from, bytes);
  if (!sent.ok()) co_return sent;
  Result<void> done = co_await to.shutdown_write();
  co_return done;
}

Task<Result<void>> finish(Stream& stream) {
  Result<void> done = co_await stream.shutdown_write();
  co_return done;
}

}  // namespace

Peer::Peer(SimLoop& loop, StreamPtr stream, bool reading) : loop_(loop), stream_(std::move(stream)) {
  if (reading) read_on();
}

Peer::~Peer() {
  const bool orderly = ended_ && stream_->write_side() == WriteSide::finished;
  if (!orderly || reading_ || writing_ > 0) stream_->abort(Error(Error::Kind::reset, "the peer is dropped"));
  loop_.run();
  stream_.reset();
  loop_.run();
}

void Peer::read_on(std::uint64_t limit) {
  limit_ = limit;
  if (reading_ || ended_ || failed_) return;
  reading_ = true;
  spawn(read_loop());
}

Task<void> Peer::read_loop() {
  Buffer buffer;
  while (received_.size() < limit_) {
    const std::uint64_t room = std::min<std::uint64_t>(limit_ - received_.size(), 65536);
    Result<std::size_t> n = co_await stream_->read(buffer, static_cast<std::size_t>(room));
    received_ += buffer.to_string();
    buffer.clear();
    if (!n.ok()) {
      failed_ = true;
      error_ = n.error();
      break;
    }
    if (*n == 0) {
      ended_ = true;
      break;
    }
  }
  reading_ = false;
}

Started<Result<void>> Peer::send(std::uint64_t bytes) {
  ++writing_;
  const std::uint64_t from = std::exchange(sent_, sent_ + bytes);
  return start(send_part(*stream_, from, bytes), [this] { --writing_; });
}

Started<Result<void>> Peer::send_text(std::string text) {
  ++writing_;
  return start(test::send(*stream_, std::move(text)), [this] { --writing_; });
}

Started<Result<void>> Peer::fin() {
  ++writing_;
  return start(finish(*stream_), [this] { --writing_; });
}

Started<Result<void>> Peer::send_and_fin(std::uint64_t bytes) {
  ++writing_;
  const std::uint64_t from = std::exchange(sent_, sent_ + bytes);
  return start(send_part_and_finish(*stream_, from, bytes), [this] { --writing_; });
}

bool Peer::pattern_intact() const { return received_ == pattern(0, received_.size()); }

std::string saw(const char* who, const Peer& peer) {
  return std::string(who) + " " + std::to_string(peer.received().size()) + (peer.pattern_intact() ? "" : " DAMAGED") +
         " " + std::string(peer.fate());
}

}  // namespace tunnel::test
