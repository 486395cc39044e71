// SPDX-License-Identifier: Apache-2.0
#include "http/h1_parser.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <string>

#include "http/text.hpp"

namespace tunnel::h1 {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using http::Fault;
using http::RawHead;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

// What every parser here does not care about.
template <bool kRequest>
class Base : public beast::http::basic_parser<kRequest> {
 protected:
  Base() { this->body_limit(boost::none); }
  void on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int, error_code&) override {}
  void on_response_impl(int, beast::string_view, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code&) override { return body.size(); }
  void on_finish_impl(error_code&) override {}
};

template <bool kRequest>
class HeadParser final : public Base<kRequest> {
 public:
  explicit HeadParser(RawHead& into) : into_(into) {}

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                       error_code&) override {
    into_.method = view(method);
    into_.target = view(target);
    into_.version = version;
  }
  void on_response_impl(int status, beast::string_view, int version, error_code&) override {
    into_.status = static_cast<unsigned>(status);
    into_.version = version;
  }
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value, error_code&) override {
    into_.fields.add(http::to_lower(view(name)), view(value));
  }
  RawHead& into_;
};

template <bool kRequest>
bool parse_head(std::string_view bytes, RawHead& into) {
  HeadParser<kRequest> parser(into);
  parser.header_limit(static_cast<std::uint32_t>(bytes.size() + 1));
  error_code error;
  const std::size_t used = parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  return !error && parser.is_header_done() && used == bytes.size();
}

constexpr std::string_view kPrimer = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
constexpr std::size_t kChunkLineBytes = 24;  // CRLF, 16 digits, CRLF, and a little

}  // namespace

bool parse_request_head(std::string_view bytes, RawHead& into) { return parse_head<true>(bytes, into); }
bool parse_response_head(std::string_view bytes, RawHead& into) { return parse_head<false>(bytes, into); }

std::string without_framing_fields(std::string_view head) {
  std::string result;
  result.reserve(head.size());
  while (!head.empty()) {
    const std::size_t end = std::min(head.find('\n'), head.size() - 1) + 1;
    const std::string_view line = head.substr(0, end);
    const std::string_view name = line.substr(0, std::min(line.find(':'), line.size()));
    if (!http::equal_ignoring_case(name, "content-length") && !http::equal_ignoring_case(name, "transfer-encoding"))
      result += line;
    head.remove_prefix(end);
  }
  return result;
}

// Primed with a head of its own, so that the heads of requests and responses stay with parse_head().
struct ChunkDecoder::Impl final : Base<true> {
  explicit Impl(const Limits& in) : limits(in) {
    error_code error;
    put(boost::asio::const_buffer(kPrimer.data(), kPrimer.size()), error);
    primed = true;
  }

  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     error_code& error) override {
    if (!primed) return;
    trailer_bytes += name.size() + value.size() + 32;
    if (trailer_bytes > limits.head_bytes || ++trailer_fields > limits.head_fields) {
      fail({431, "too many or too large trailer fields"}, error);
      return;
    }
    std::string lower = http::to_lower(view(name));
    if (http::may_be_trailer(lower)) trailers.add(lower, view(value));
  }
  void on_chunk_header_impl(std::uint64_t size, beast::string_view extensions, error_code& error) override {
    extension_bytes += extensions.size();
    if (extension_bytes > limits.chunk_extension_bytes) {
      fail({400, "too many bytes of chunk extensions", true}, error);
      return;
    }
    // Beast passes anything between quotes.
    for (const char c : view(extensions))
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
        fail({400, "control character in a chunk extension"}, error);
    left = size;
  }
  void fail(const Fault& why, error_code& error) {
    if (!fault) fault = why;
    error = beast::http::error::bad_chunk_extension;
  }

  Step parse_framing(Buffer& input);
  bool grow_window(const Buffer& input, std::size_t& window) const;
  Step judge_incomplete(std::string_view bytes);
  Step finish(std::string_view bytes);
  std::string_view without_crlf(std::string_view bytes) const;

  const Limits& limits;
  http::Fields trailers;
  Fault fault;
  std::uint64_t left = 0;  // of the current chunk
  std::size_t extension_bytes = 0;
  std::size_t trailer_bytes = 0;
  std::size_t trailer_fields = 0;
  bool primed = false;
  bool first = true;
  bool in_trailers = false;  // the line of the last chunk is complete
};

ChunkDecoder::ChunkDecoder(const Limits& limits) : impl_(std::make_unique<Impl>(limits)) {}
ChunkDecoder::~ChunkDecoder() = default;
const http::Fields& ChunkDecoder::trailers() const { return impl_->trailers; }
const Fault& ChunkDecoder::fault() const { return impl_->fault; }

ChunkDecoder::Step ChunkDecoder::decode(Buffer& input, Buffer& into, std::size_t max) {
  Impl& impl = *impl_;
  if (impl.fault) return Step::fault;
  if (impl.is_done()) return Step::end;
  std::size_t moved = 0;
  while (moved < max) {
    if (impl.left == 0) {
      const Step step = impl.parse_framing(input);
      if (step == Step::data) continue;
      // Bytes already moved first; the same step comes again with the next call.
      return moved > 0 ? Step::data : step;
    }
    const std::string_view front = input.front();
    if (front.empty()) break;
    const std::size_t n = std::min<std::uint64_t>(std::min(front.size(), max - moved), impl.left);
    error_code error;
    impl.put(boost::asio::const_buffer(front.data(), n), error);
    input.move_to(into, n);
    impl.left -= n;
    moved += n;
  }
  return moved > 0 ? Step::data : Step::need_more;
}

std::string_view ChunkDecoder::Impl::without_crlf(std::string_view bytes) const {
  return first ? bytes : bytes.substr(std::min<std::size_t>(2, bytes.size()));
}

// Usually the whole line stands in the first slice; copy more together only when it does not.
bool ChunkDecoder::Impl::grow_window(const Buffer& input, std::size_t& window) const {
  const std::size_t most = limits.head_bytes + limits.chunk_extension_bytes + kChunkLineBytes + 4;
  const std::size_t larger = std::min({input.size(), window + std::max<std::size_t>(window, 512), most});
  if (larger <= window) return false;
  window = larger;
  return true;
}

ChunkDecoder::Step ChunkDecoder::Impl::parse_framing(Buffer& input) {
  if (input.empty()) return Step::need_more;
  std::size_t window = input.front().size();
  for (;;) {
    const std::string_view bytes = input.linearise(window);
    if (in_trailers && without_crlf(bytes).find("\r\n\r\n") == std::string_view::npos) {
      if (grow_window(input, window)) continue;
      return judge_incomplete(bytes);
    }
    error_code error;
    const std::size_t used = put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (error == beast::http::error::need_more) {
      // Beast asserts that a last chunk it is shown again has grown by two bytes: from now on show it only when whole.
      in_trailers = without_crlf(bytes).find("\r\n") != std::string_view::npos;
      if (grow_window(input, window)) continue;
      return judge_incomplete(bytes);
    }
    if (error) {
      if (!fault) fault = {400, "invalid chunk"};
      return Step::fault;
    }
    if (is_done()) {
      const Step step = finish(bytes.substr(0, used));
      input.consume(used);
      return step;
    }
    // Leading zeros would be extensions by another name.
    if (used > kChunkLineBytes + extension_bytes) {
      fault = {400, "too long a chunk size", true};
      return Step::fault;
    }
    first = false;
    input.consume(used);
    return Step::data;
  }
}

ChunkDecoder::Step ChunkDecoder::Impl::judge_incomplete(std::string_view bytes) {
  const std::string_view line = without_crlf(bytes);
  const std::size_t end = line.find("\r\n");
  if (end == std::string_view::npos) {
    if (line.find('\n') != std::string_view::npos && line.find('"') == std::string_view::npos)
      fault = {400, "bare LF in a chunk size"};
    else if (line.size() > kChunkLineBytes + limits.chunk_extension_bytes)
      fault = {400, "too many bytes of chunk extensions", true};
  } else if (line.size() - end > limits.head_bytes) {
    fault = {431, "too many or too large trailer fields"};
  }
  return fault ? Step::fault : Step::need_more;
}

// The trailers get the same lint as a head; the line of the last chunk stands in for the start line.
ChunkDecoder::Step ChunkDecoder::Impl::finish(std::string_view bytes) {
  http::HeadScanner scanner(limits);
  const http::HeadScanner::Scan scan = scanner.scan(without_crlf(bytes));
  if (!scan.fault) return Step::end;
  fault = scan.fault;
  return Step::fault;
}

}  // namespace tunnel::h1
