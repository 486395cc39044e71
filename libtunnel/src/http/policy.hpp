// SPDX-License-Identifier: Apache-2.0
// The strict judgement of HTTP/1.1 heads (RFC 9110, 9112, 9931; the table is test/RULES.md 1.1, 1.2). Beast parses;
// what it lets through and must not pass stands here: a lint of the raw head that needs no grammar, then a judgement of
// the fields Beast found. Pure functions of bytes: no stream, no loop. The checks of names, values, hosts and targets
// also guard what we send.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/limits.hpp"
#include "http/message.hpp"

namespace tunnel::http {

// Why a head was refused; `what` has static storage. Status 0: it was not.
struct Fault {
  std::uint16_t status = 0;
  const char* what = "";
  bool flood = false;  // a framing limit, not bad grammar
  explicit operator bool() const { return status != 0; }
};

// Looks for the end of a head (start line, field lines, empty line) in bytes that come piece by piece, and refuses what
// no grammar is needed for: bare CR, bare LF, NUL, folded lines, too many fields, too many bytes. One object a head.
class HeadScanner {
 public:
  explicit HeadScanner(const Limits& limits) : limits_(&limits) {}
  struct Scan {
    std::size_t length = 0;  // of the complete head with its empty line; 0: more is needed
    Fault fault;
  };
  // `bytes` begins at the head's first byte and has only grown since the last call.
  Scan scan(std::string_view bytes);

 private:
  Fault judge_line(std::string_view line);
  const Limits* limits_;
  std::size_t line_start_ = 0;
  std::size_t seen_ = 0;
  std::size_t lines_ = 0;
};

// A head as parsed, before judgement. Field names are in lower case.
struct RawHead {
  std::string method;  // of a request
  std::string target;
  unsigned status = 0;  // of a response
  int version = 11;     // 10 or 11
  Fields fields;
};

struct JudgedRequest {
  RequestHead head;
  Body body;  // `unknown` is chunked
  bool keep_alive = false;
};
// Takes the fields out of `raw`.
Fault judge_request(RawHead& raw, const Limits& limits, JudgedRequest& judged);

struct JudgedResponse {
  ResponseHead head;
  Body body;  // `unknown` is chunked, or lasts until the connection ends
  bool until_end = false;
  bool keep_alive = false;
};
// `method` is the request's. A 2xx to CONNECT is a tunnel whatever framing fields it carries; a fault has status 502.
Fault judge_response(RawHead& raw, std::string_view method, const Limits& limits, JudgedResponse& judged);

// Trailer fields that would change framing, routing or the connection are dropped (RFC 9110 section 6.5.1).
bool may_be_trailer(std::string_view name);

bool is_field_name(std::string_view name);    // a token in lower case
bool is_field_value(std::string_view value);  // no control character but tab; no blank at either end
bool is_host(std::string_view text);          // uri-host [":" port], as in Host; never empty, no user
bool is_target(std::string_view text);        // printable ASCII, no fragment

}  // namespace tunnel::http
