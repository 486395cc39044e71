// SPDX-License-Identifier: Apache-2.0
// Exchange: one HTTP request and its response, as a Stream with heads, over HTTP/1.1 or HTTP/2, as server or as client.
// HTTP/1.1 and HTTP/2 meet in this file and nowhere else. Reading a Stream of this kind gives the peer's body (or
// tunnel bytes), writing sends ours; framing is the codec's. shutdown_write() ends our body (last chunk, END_STREAM) or
// our direction of a tunnel (FIN, END_STREAM). abort() resets the exchange: RST_STREAM over HTTP/2, the connection over
// HTTP/1.1.
//
// Connections drive themselves in run(), which must be running for an exchange to get on. All of one worker.
#pragma once
#include <functional>
#include <memory>
#include <string_view>

#include "base/context.hpp"
#include "http/message.hpp"
#include "tunnel/stream.hpp"

namespace tunnel::http {

class ServerExchange : public Stream {
 public:
  using Stream::Stream;
  virtual const RequestHead& request() const = 0;
  // What the request announced; `tunnel` for CONNECT. A POST with an `unknown` body may be answered as a tunnel.
  virtual Body request_body() const = 0;
  virtual std::string_view protocol() const = 0;  // "HTTP/1.1", "HTTP/1.0" or "HTTP/2"
  // Sends an interim (1xx) head; any number before respond().
  virtual Task<Result<void>> inform(const ResponseHead& head) = 0;
  // Sends the final head, once. With Body::tunnel() (2xx to CONNECT or such a POST) the exchange is a tunnel from here
  // on: over HTTP/1.1 a POST's in chunks both ways, ended by the last one, and the connection is not used again. With
  // Body::none() the response is complete. The codec adds framing fields itself, and Date.
  virtual Task<Result<void>> respond(const ResponseHead& head, Body body) = 0;
  // Like shutdown_write(), with trailer fields (dropped where the version cannot carry them).
  virtual Task<Result<void>> finish(const Fields& trailers) = 0;
  // Trailers of the request; complete once read() has returned the end.
  virtual const Fields& trailers() const = 0;
  // Posts a Slot that waits in on_readable(), if one does, though nothing came: whoever forwards a request body stops
  // this way when the response has ended first. A read() in progress simply waits again.
  virtual void interrupt_read() noexcept = 0;
};

class ClientExchange : public Stream {
 public:
  using Stream::Stream;
  // Sends the head, once. For CONNECT, and a POST that is to become a tunnel, Body::tunnel(): nothing written before a
  // 2xx leaves.
  virtual Task<Result<void>> send(const RequestHead& head, Body body) = 0;
  // The next head: any number of interim ones (100 to 199), then the final one. A 101 fails: upgrades are never asked
  // for.
  virtual Task<Result<ResponseHead>> head() = 0;
  // After the final head: what follows it. `tunnel` for a 2xx to CONNECT, whatever framing fields it carried, and for a
  // 2xx of no announced length to a POST sent with Body::tunnel().
  virtual Body response_body() const = 0;
  virtual Task<Result<void>> finish(const Fields& trailers) = 0;
  virtual const Fields& trailers() const = 0;
  virtual std::string_view protocol() const = 0;
};

// Serves one exchange. When the task ends, an exchange that was not answered and ended is reset; unread request bytes
// are drained up to the linger limit or the connection is closed. The exchange is destroyed by the connection after the
// task ended.
class ExchangeHandler {
 public:
  virtual Task<void> serve(ServerExchange& exchange) = 0;
  // A request so broken that no exchange came of it was answered with `status` and a body of `body_bytes` by the codec;
  // for the access log. `detail` names what was wrong and may hold a peer's bytes.
  virtual void rejected(std::string_view protocol, std::uint16_t status, std::size_t body_bytes,
                        std::string_view detail) = 0;
  // We ended the connection for what its peer did: a flood, a broken protocol, too long a silence. For the log.
  virtual void cut(const Error& /*reason*/) {}

 protected:
  ~ExchangeHandler() = default;
};

// Serves exchanges on one downstream connection; the stream outlives it.
class ServerConnection {
 public:
  virtual ~ServerConnection() = default;
  // Returns when the connection has ended: in order (shutdown_write() done on the stream) or by abort().
  virtual Task<void> run() = 0;
  // No new exchanges: over HTTP/2 GOAWAY, over HTTP/1.1 `Connection: close` on the next answer, an idle connection
  // closes.
  virtual void drain() noexcept = 0;
  virtual void abort(Error reason) noexcept = 0;
};

struct ServerOptions {
  Duration idle_timeout = std::chrono::hours(1);  // without an open exchange; zero: none
  std::size_t streams = 0;                        // open at a time over HTTP/2; 0: limits.h2_server_streams
  bool refuses_over_memory = true;                // new HTTP/2 streams, while memory::used_up()
};

// An upstream connection that carries exchanges: one at a time over HTTP/1.1, many over HTTP/2. A pool owns it.
class ClientConnection {
 public:
  class Observer {
   public:
    // capacity(), usable() or health() changed. Called from the loop or from inside a call on an exchange: note it,
    // destroy nothing.
    virtual void client_connection_changed(ClientConnection& connection) noexcept = 0;

   protected:
    ~Observer() = default;
  };
  // Does the peer answer? Of an HTTP/2 connection, which can be asked.
  enum class Health : std::uint8_t {
    well,
    asked,     // a PING is on its way
    doubtful,  // none was answered in time: exchanges that may be asked for elsewhere have failed so, the others live
               // on and capacity() is 0, until the peer gives a sign of life; without others the connection was aborted
  };
  virtual ~ClientConnection() = default;
  // Drives the connection until it has ended; spawned once by the owner, who destroys the connection only after it
  // returned.
  virtual Task<void> run() = 0;
  // False for good once the connection may not take another exchange: GOAWAY, `Connection: close`, an error, close().
  virtual bool usable() const = 0;
  // Exchanges that may be opened now.
  virtual unsigned capacity() const = 0;
  virtual unsigned active() const = 0;
  // Requires usable() and capacity() > 0. The exchange must be destroyed before the connection.
  virtual std::unique_ptr<ClientExchange> open() = 0;
  // No new exchanges; ends when the last one has.
  virtual void close() noexcept = 0;
  virtual void abort(Error reason) noexcept = 0;
  virtual void observe(Observer* observer) = 0;
  virtual TimePoint idle_since() const = 0;  // when active() last fell to 0
  virtual Health health() const { return Health::well; }
};

// What a pool asks of an HTTP/2 connection.
struct ClientOptions {
  std::size_t streams = 0;         // exchanges at a time, or fewer if the peer says so; 0: limits.h2_pool_streams
  std::uint32_t window_bytes = 0;  // what a stream's window may grow to; 0: limits.h2_stream_window
  Duration ping{};                 // a connection that is silent for so long is probed; 0: never
};

}  // namespace tunnel::http

namespace tunnel::h1 {
std::unique_ptr<http::ServerConnection> make_server(const Context& context, Stream& stream,
                                                    http::ExchangeHandler& handler, const http::ServerOptions& options);
std::unique_ptr<http::ClientConnection> make_client(const Context& context, StreamPtr stream);
}  // namespace tunnel::h1

namespace tunnel::h2 {
// Speaks at once: SETTINGS go out when run() starts.
std::unique_ptr<http::ServerConnection> make_server(const Context& context, Stream& stream,
                                                    http::ExchangeHandler& handler, const http::ServerOptions& options);
std::unique_ptr<http::ClientConnection> make_client(const Context& context, StreamPtr stream,
                                                    const http::ClientOptions& options = {});
}  // namespace tunnel::h2
