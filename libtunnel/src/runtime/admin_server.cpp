// SPDX-License-Identifier: Apache-2.0
#include "runtime/admin_server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "runtime/admin_site.hpp"

namespace tunnel::runtime {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;
using Protocol = asio::generic::stream_protocol;
using Stream = beast::basic_stream<Protocol, asio::io_context::executor_type>;
using Socket = Stream::socket_type;

// A browser opens six; the rest is for those who measure. Beyond it a connection is answered and closed unread.
constexpr std::size_t kMostConnections = 16;
constexpr std::size_t kHeadBytes = 8192;
constexpr std::size_t kFields = 64;
constexpr std::size_t kBodyBytes = 4096;  // nothing here takes one
constexpr std::chrono::seconds kReadTime{5};
constexpr std::chrono::seconds kIdleTime{30};
constexpr std::chrono::seconds kWriteTime{10};
constexpr std::chrono::seconds kLingerTime{1};
constexpr std::chrono::milliseconds kRest{100};  // when there is no descriptor left
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\r\n";

std::optional<std::string> field(const http::request<http::string_body>& request, std::string_view name) {
  const auto found = request.find(beast::string_view(name.data(), name.size()));
  if (found == request.end()) return std::nullopt;
  return std::string(found->value());
}

// Two of one field would let us judge another than the browser means.
bool is_twice(const http::request<http::string_body>& request, http::field name) { return request.count(name) > 1; }

// What connections and doors share; lives as long as any of them.
struct Hall {
  AdminServe serve;
  std::size_t connections = 0;
};

// One connection, one request after another. Lives in the handlers of what it waits for.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Hall> hall, Stream stream, std::optional<SocketAddress> at)
      : hall_(std::move(hall)), stream_(std::move(stream)), at_(at), buffer_(kHeadBytes + kBodyBytes) {
    ++hall_->connections;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { --hall_->connections; }

  // A head that has begun has less time than a pause between two.
  void wait() {
    parser_.emplace();
    parser_->header_limit(kHeadBytes);
    parser_->body_limit(kBodyBytes);
    if (buffer_.size() > 0) return read();
    stream_.expires_after(kIdleTime);
    stream_.async_read_some(buffer_.prepare(kHeadBytes), [self = shared_from_this()](error_code error, std::size_t n) {
      if (error) return;
      self->buffer_.commit(n);
      self->read();
    });
  }

 private:
  void read() {
    stream_.expires_after(kReadTime);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, std::size_t) { self->have_read(error); });
  }

  void have_read(error_code error) {
    if (error == http::error::end_of_stream || error == beast::error::timeout) return;
    if (error == http::error::header_limit) return refuse(431, "the head is too large");
    if (error == http::error::body_limit) return refuse(413, "nothing here takes a body of that size");
    if (error && error.category() == make_error_code(http::error::bad_method).category())
      return refuse(400, "this is no HTTP/1.1 request");
    if (error) return;
    const http::request<http::string_body>& message = parser_->get();
    if (std::distance(message.begin(), message.end()) > static_cast<std::ptrdiff_t>(kFields))
      return refuse(431, "the head has too many fields");
    if (is_twice(message, http::field::host) || is_twice(message, http::field::origin))
      return refuse(400, "a field stands twice that may stand once");
    AdminRequest request;
    request.method = message.method_string();
    const std::string_view target = message.target();
    const std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
    request.host = field(message, "Host");
    request.origin = field(message, "Origin");
    request.fetch_site = field(message, "Sec-Fetch-Site");
    request.reached = at_;
    keep_alive_ = message.keep_alive();
    stream_.expires_never();
    hall_->serve(request, [self = shared_from_this()](AdminResponse response) { self->answer(std::move(response)); });
  }

  void refuse(unsigned status, const char* text) {
    keep_alive_ = false;
    answer(AdminSite::with_safe_fields(admin_text(status, text)));
  }

  void answer(AdminResponse response) {
    then_ = std::move(response.then);
    answer_.emplace();
    answer_->version(11);
    answer_->result(response.status);
    answer_->set(http::field::content_type, beast::string_view(response.type.data(), response.type.size()));
    for (const auto& [name, value] : response.fields) answer_->set(name, value);
    answer_->keep_alive(keep_alive_);
    answer_->content_length(response.body.size());
    if (parser_->get().method() != http::verb::head) answer_->body() = std::move(response.body);
    stream_.expires_after(kWriteTime);
    http::async_write(stream_, *answer_,
                      [self = shared_from_this()](error_code error, std::size_t) { self->have_written(error); });
  }

  void have_written(error_code error) {
    if (const auto then = std::exchange(then_, {})) then();
    if (error) return;
    if (keep_alive_) return wait();
    error_code ignored;
    stream_.socket().shutdown(asio::socket_base::shutdown_send, ignored);
    stream_.expires_after(kLingerTime);
    linger();
  }

  // Closing over unread bytes would reset the answer away.
  void linger() {
    buffer_.clear();
    stream_.async_read_some(buffer_.prepare(kHeadBytes), [self = shared_from_this()](error_code error, std::size_t) {
      if (!error) self->linger();
    });
  }

  std::shared_ptr<Hall> hall_;
  Stream stream_;
  std::optional<SocketAddress> at_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> answer_;
  std::function<void()> then_;
  bool keep_alive_ = false;
};

// One listening socket. Lives in the handler of what it waits for.
class Door : public std::enable_shared_from_this<Door> {
 public:
  Door(asio::io_context& io, Fd socket, std::shared_ptr<Hall> hall)
      : io_(io), socket_(io, socket.release()), rest_(io), hall_(std::move(hall)) {}

  void wait() {
    socket_.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](error_code error) {
      if (!error) self->accept();
    });
  }

 private:
  void accept() {
    for (;;) {
      Fd fd(::accept4(socket_.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd) {
        try {
          let_in(std::move(fd));
        } catch (const std::exception& error) {  // no memory, or no more descriptors to watch: this one, not the door
          log::warning("admin: a connection could not be served: {}", error.what());
        }
        continue;
      }
      if (errno == EAGAIN) return wait();
      if (errno == EINTR || errno == ECONNABORTED) continue;
      rest_.expires_after(kRest);
      return rest_.async_wait([self = shared_from_this()](error_code error) {
        if (!error) self->wait();
      });
    }
  }

  void let_in(Fd fd) {
    // The socket listened on may have passed on a close that drops what is not yet sent.
    const linger orderly{};
    (void)::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &orderly, sizeof orderly);
    if (hall_->connections >= kMostConnections) {
      (void)::send(fd.get(), kFull.data(), kFull.size(), MSG_NOSIGNAL);
      return;
    }
    sockaddr_storage local{};
    socklen_t length = sizeof local;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &length) != 0) return;
    std::optional<SocketAddress> reached;
    if (local.ss_family != AF_UNIX) reached = SocketAddress::from_sockaddr(reinterpret_cast<sockaddr*>(&local));
    Socket socket(io_);
    socket.assign(Protocol(local.ss_family, 0), fd.get());
    (void)fd.release();
    std::make_shared<Connection>(hall_, Stream(std::move(socket)), reached)->wait();
  }

  asio::io_context& io_;
  asio::posix::stream_descriptor socket_;
  asio::steady_timer rest_;
  std::shared_ptr<Hall> hall_;
};

}  // namespace

void serve_admin(asio::io_context& io, std::vector<Fd> sockets, AdminServe serve) {
  const auto hall = std::make_shared<Hall>(Hall{std::move(serve)});
  for (Fd& socket : sockets) std::make_shared<Door>(io, std::move(socket), hall)->wait();
}

}  // namespace tunnel::runtime
