// SPDX-License-Identifier: Apache-2.0
// Any bytes as an HTTP/1.1 request, taken whole and byte by byte: the verdict is the same, and what passes is what the
// strict policy promises (RFC 9112 section 6.3, test/RULES.md 1.1).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.hpp"
#include "fuzz/check.hpp"
#include "http/h1_parser.hpp"
#include "http/policy.hpp"
#include "tunnel/buffer.hpp"

namespace tunnel {
namespace {

using fuzz::require;

http::HeadScanner::Scan scan_in_steps(std::string_view bytes, const Limits& limits) {
  http::HeadScanner scanner(limits);
  http::HeadScanner::Scan scan;
  for (std::size_t n = 1; n <= bytes.size() && scan.length == 0 && !scan.fault; ++n)
    scan = scanner.scan(bytes.substr(0, n));
  return scan;
}

struct Decoded {
  h1::ChunkDecoder::Step last = h1::ChunkDecoder::Step::need_more;
  std::string body;
};

Decoded decode(std::string_view bytes, std::size_t step, const Limits& limits) {
  using Step = h1::ChunkDecoder::Step;
  h1::ChunkDecoder decoder(limits);
  Buffer input;
  Buffer body;
  Decoded decoded;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    input.append(bytes.substr(at, step));
    while ((decoded.last = decoder.decode(input, body, 1000)) == Step::data) {
    }
    if (decoded.last != Step::need_more) break;
  }
  while (!body.empty()) {
    decoded.body.append(body.front());
    body.consume(body.front().size());
  }
  return decoded;
}

void judge_chunks(std::string_view bytes, const Limits& limits) {
  using Step = h1::ChunkDecoder::Step;
  const Decoded whole = decode(bytes, bytes.size(), limits);
  const Decoded cut = decode(bytes, 1, limits);
  require((whole.last == Step::end) == (cut.last == Step::end), "a body ends however it is cut");
  if (whole.last == Step::fault || cut.last == Step::fault) {
    // A chunk line that is bad and not complete is refused sooner or later. Neither makes body of it.
    const std::size_t common = std::min(whole.body.size(), cut.body.size());
    require(whole.body.compare(0, common, cut.body, 0, common) == 0, "what came before a fault is the same");
    return;
  }
  require(whole.body == cut.body, "a body is the same however it is cut");
}

void judge_head(std::string_view bytes, const http::RawHead& raw, const http::JudgedRequest& judged) {
  require(!raw.fields.contains("transfer-encoding") || !raw.fields.contains("content-length"),
          "a length and a coding together are refused");
  require(!judged.head.method.empty() && judged.head.method.find(' ') == std::string::npos, "a method is a token");
  require(judged.head.is_connect() || http::is_target(judged.head.path), "a target is one");
  require(judged.head.authority.empty() || http::is_host(judged.head.authority), "a host is one");
  require(bytes.find('\0') == std::string_view::npos, "no NUL passes");
  for (const http::Field& field : judged.head.fields)
    require(http::is_field_name(field.name) && http::is_field_value(field.value), "fields can be sent on");
}

void judge(std::string_view bytes) {
  const Limits limits;
  http::HeadScanner scanner(limits);
  const http::HeadScanner::Scan whole = scanner.scan(bytes);
  const http::HeadScanner::Scan cut = scan_in_steps(bytes, limits);
  require(whole.length == cut.length, "a head is as long however it is cut");
  require(whole.fault.status == cut.fault.status, "a head is refused however it is cut");
  if (whole.length == 0) return;
  const std::string_view head = bytes.substr(0, whole.length);
  http::RawHead raw;
  if (!h1::parse_request_head(head, raw)) return;
  http::RawHead spent = raw;
  http::JudgedRequest judged;
  if (http::judge_request(spent, limits, judged)) return;
  judge_head(head, raw, judged);
  if (judged.body.kind == http::Body::Kind::unknown) judge_chunks(bytes.substr(whole.length), limits);
}

}  // namespace
}  // namespace tunnel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) tunnel::judge({reinterpret_cast<const char*>(data), size});
  return 0;
}
