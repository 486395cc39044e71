// SPDX-License-Identifier: Apache-2.0
// Any bytes as the frames of a client, behind its preface. FrameReader sees the same frames however they are cut, and
// our server, taking them whole or in two cuts, comes to rest, holds no more than it may, and leaves nothing behind.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz/check.hpp"
#include "http/exchange.hpp"
#include "http/h2_frames.hpp"
#include "stream/user_space_pair.hpp"
#include "support/sim_loop.hpp"

namespace tunnel {
namespace {

using fuzz::require;

struct Seen {
  h2::FrameType type;
  std::size_t length;
  std::int32_t id;
  bool operator==(const Seen&) const = default;
};

std::vector<Seen> frames_of(std::string_view bytes, std::size_t cut) {
  h2::FrameReader reader(0);
  std::vector<Seen> seen;
  for (std::size_t at = 0; at < bytes.size();) {
    const h2::FrameReader::Step step = reader.step(bytes.substr(at, cut));
    require(step.bytes > 0 && step.bytes <= std::min(cut, bytes.size() - at), "a step takes some of its piece");
    at += step.bytes;
    if (step.new_frame) seen.push_back({reader.type(), reader.length(), reader.stream_id()});
  }
  return seen;
}

// Answers at once and sends back what comes.
class Echo final : public http::ExchangeHandler {
 public:
  Task<void> serve(http::ServerExchange& exchange) override {
    const http::RequestHead& request = exchange.request();
    require(!request.method.empty() && (request.is_connect() || !request.path.empty()), "a request says what it wants");
    http::ResponseHead head;
    head.status = 200;
    Result<void> written =
        co_await exchange.respond(head, request.is_connect() ? http::Body::tunnel() : http::Body::unknown());
    while (written.ok()) {
      Buffer piece;
      Result<std::size_t> n = co_await exchange.read(piece, 65536);
      if (!n.ok()) co_return;
      if (*n == 0) break;
      written = co_await exchange.write(piece);
    }
    if (!written.ok()) co_return;
    const Result<void> finished = co_await exchange.shutdown_write();
    (void)finished.ok();
  }
  void rejected(std::string_view /*protocol*/, std::uint16_t status, std::size_t /*body_bytes*/,
                std::string_view /*detail*/) override {
    require(status >= 400 && status < 600, "what is refused has the status for it");
  }
};

void drain(Stream& wire, test::SimWorld& world) {
  for (;;) {
    Buffer bytes;
    if (wire.try_read(bytes, 65536).state != Io::State::done) return;
    world.loop.run();
  }
}

// Ends early where the server has ended the connection.
void send(Stream& wire, test::SimWorld& world, std::string_view bytes) {
  Buffer buffer;
  buffer.append(bytes);
  while (!buffer.empty()) {
    const Io io = wire.try_write(buffer, More::no);
    world.loop.run();
    drain(wire, world);
    if (io.state == Io::State::failed) return;
  }
}

void serve(std::string_view bytes, std::size_t cut) {
  test::SimWorld world;
  {
    Echo handler;
    auto [wire, transport] = make_user_space_pair(world.context, std::size_t{1} << 16);
    const auto server = h2::make_server(world.context, *transport, handler, http::ServerOptions());
    test::Started<void> run = test::start(server->run());
    send(*wire, world, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    for (std::size_t at = 0; at < bytes.size(); at += cut) send(*wire, world, bytes.substr(at, cut));
    world.loop.advance(std::chrono::seconds(30));
    drain(*wire, world);
    server->abort(Error(Error::Kind::shutdown));
    world.loop.run();
    require(run.done(), "a connection that was aborted ends");
  }
  world.loop.run();
  require(world.gauges_are_zero(), "nothing is left of a connection");
}

}  // namespace
}  // namespace tunnel

// The first byte says where the second cut is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tunnel::fuzz::MemoryWatch watch;
  if (size < 2) return 0;
  const std::size_t cut = std::size_t{data[0]} + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<tunnel::Seen> whole = tunnel::frames_of(bytes, bytes.size());
  tunnel::require(whole == tunnel::frames_of(bytes, 1), "the frames are the same byte by byte");
  tunnel::require(whole == tunnel::frames_of(bytes, cut), "the frames are the same however they are cut");
  const tunnel::fuzz::MemoryWatch::Guard guard(std::size_t{64} << 20);
  tunnel::serve(bytes, bytes.size());
  tunnel::serve(bytes, cut);
  return 0;
}
