// SPDX-License-Identifier: Apache-2.0
// The rows of test/RULES.md 1.1 and 1.2 as bytes on the wire: what a server of ours answers, whole and byte by byte.
#include "http/policy.hpp"

#include "unit/http/h1_support.hpp"

namespace tunnel::test::http1 {
namespace {

struct Row {
  const char* name;
  std::string bytes;
  int status;  // of the first answer
  bool close = true;
  int requests_served = 0;  // that reached the handler
  bool flood = false;       // counted as one
};

std::string many_fields(int n) {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 1; i < n; ++i) text += "x: y\r\n";
  return text + "\r\n";
}
std::string trailers(int n) {
  std::string text;
  for (int i = 0; i < n; ++i) text += "x: y\r\n";
  return text;
}
std::string get(const std::string& more) { return "GET / HTTP/1.1\r\nHost: a\r\n" + more + "\r\n"; }
std::string post(const std::string& more, const std::string& body) {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + more + "\r\n" + body;
}
std::string connect(const std::string& target, const std::string& more = "") {
  return "CONNECT " + target + " HTTP/1.1\r\nHost: a:1\r\n" + more + "\r\n";
}
std::string chunked(const std::string& body) { return post("Transfer-Encoding: chunked\r\n", body); }

const std::string kNext = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

std::vector<Row> rows() {
  using namespace std::string_literals;
  std::vector<Row> all{
      // 1.2-1: Transfer-Encoding
      {"te gzip", post("Transfer-Encoding: gzip\r\n", kNext), 400},
      {"te xchunked", post("Transfer-Encoding: xchunked\r\n", kNext), 400},
      {"te chunked, gzip", post("Transfer-Encoding: chunked, gzip\r\n", kNext), 400},
      {"te chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n", kNext), 400},
      {"te chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", kNext), 400},
      {"te chunked;q=1", post("Transfer-Encoding: chunked;q=1\r\n", kNext), 400},
      {"te xchunked + cl", post("Transfer-Encoding: xchunked\r\nContent-Length: 3\r\n", "abc" + kNext), 400},
      {"te gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n" + kNext), 501},
      {"te empty", post("Transfer-Encoding:\r\n", kNext), 400},
      {"te identity", post("Transfer-Encoding: identity\r\n", kNext), 400},
      {"te vertical tab",
       post("Transfer-Encoding: \x0b"
            "chunked\r\n",
            kNext),
       400},
      // 1.2-2
      {"cl + te", post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400},
      {"te + cl", post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "0\r\n\r\n"), 400},
      // 1.2-3
      {"cl differs", post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"), 400},
      {"cl list differs", post("Content-Length: 3, 4\r\n", "abcd"), 400},
      {"cl sign", post("Content-Length: +4\r\n", "abcd"), 400},
      {"cl minus", post("Content-Length: -1\r\n", ""), 400},
      {"cl hex", post("Content-Length: 0x4\r\n", "abcd"), 400},
      {"cl empty", post("Content-Length:\r\n", "abcd"), 400},
      {"cl overflow", post("Content-Length: 18446744073709551616\r\n", ""), 400},
      {"cl beyond signed", post("Content-Length: 9223372036854775808\r\n", ""), 400},
      {"cl equal repeats", post("Content-Length: 4\r\nContent-Length: 4\r\n", "abcd"), 200, false, 1},
      {"cl equal list", post("Content-Length: 4, 4\r\n", "abcd"), 200, false, 1},
      // 1.2-4
      {"1.0 + te", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      // 1.2-5
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", get("Host: b\r\n"), 400},
      {"host with user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
      {"host with path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
      {"host with bad port", "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400},
      {"host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},
      {"host empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
      {"host bad literal", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
      {"host literal", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", 200, false, 1},
      {"1.0 without host", "GET / HTTP/1.0\r\n\r\n", 200, true, 1},
      // 1.2-6
      {"space before colon", get("X : y\r\n"), 400},
      {"tab before colon", get("X\t: y\r\n"), 400},
      {"space before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
      {"empty name", get(": y\r\n"), 400},
      // 1.2-7
      {"obs-fold", get("X: y\r\n z\r\n"), 400},
      {"obs-fold by tab", get("X: y\r\n\tz\r\n"), 400},
      {"fold of te", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400},
      // 1.2-8
      {"bare lf", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"bare lf in a field", get("X: y\nZ: a\r\n"), 400},
      {"bare cr", get("X: y\rZ: a\r\n"), 400},
      {"nul", "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n"s, 400},
      {"delete", get("X: a\x7f\r\n"), 400},
      // 1.2-9: once the body is being read
      {"chunk size overflow", chunked("10000000000000000\r\nabc"), 400, true, 1},
      {"chunk size 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400, true, 1},
      {"chunk size negative", chunked("-3\r\nabc\r\n"), 400, true, 1},
      {"chunk size empty", chunked("\r\nabc\r\n"), 400, true, 1},
      {"chunk size space", chunked(" 3\r\nabc\r\n"), 400, true, 1},
      {"lf in an extension", chunked("3;a\nb\r\nabc\r\n0\r\n\r\n"), 400, true, 1},
      {"lf in a quoted extension", chunked("3;a=\"\n\"\r\nabc\r\n0\r\n\r\n"), 400, true, 1},
      {"cr in an extension", chunked("3;a\rb\r\nabc\r\n0\r\n\r\n"), 400, true, 1},
      {"bare lf after the size", chunked("3\nabc\r\n0\r\n\r\n"), 400, true, 1},
      {"no crlf after the chunk", chunked("3\r\nabcd\r\n0\r\n\r\n"), 400, true, 1},
      {"lf after the chunk", chunked("3\r\nabc\n0\r\n\r\n"), 400, true, 1},
      {"extensions too long", chunked("3;" + std::string(1100, 'x') + "\r\nabc\r\n0\r\n\r\n"), 400, true, 1, true},
      {"zeros too long", chunked(std::string(2000, '0') + "3\r\nabc\r\n0\r\n\r\n"), 400, true, 1, true},
      {"trailer too large", chunked("0\r\nX: " + std::string(17000, 'a') + "\r\n\r\n"), 431, true, 1},
      {"too many trailers", chunked("0\r\n" + trailers(101) + "\r\n"), 431, true, 1},
      {"100 trailers", chunked("0\r\n" + trailers(100) + "\r\n"), 200, false, 1},
      {"an extension", chunked("3;a=b\r\nabc\r\n0\r\n\r\n"), 200, false, 1},
      {"trailer with length", chunked("3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n"), 400, true, 1},
      {"folded trailer", chunked("3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n"), 400, true, 1},
      // 1.2-10
      {"an empty line first", "\r\n" + get(""), 200, false, 1},
      {"two empty lines first", "\r\n\r\n" + get(""), 400, true, 0, true},
      {"lf first", "\n" + get(""), 400},
      // 1.2-11
      {"100 fields", many_fields(100), 200, false, 1},
      {"101 fields", many_fields(101), 431},
      {"1500 tiny fields", many_fields(1500), 431},
      {"one large field", get("X: " + std::string(17000, 'a') + "\r\n"), 431},
      {"no end of line", "GET /" + std::string(17000, 'a'), 431},
      // Targets and start lines
      {"target 0x80", "GET /\x80 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"target control", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"target fragment", "GET /#a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"target relative", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"target with two spaces", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"asterisk without OPTIONS", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"absolute with user", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"absolute ftp", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"method with a bracket", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"version 1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400},
      {"version 0.9", "GET /\r\n\r\n", 400},
      {"http/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"tls client hello", "\x16\x03\x01\x02"s, 400},
      {"connection list broken", get("Connection: close;x\r\n"), 400},
      // 1.1-2: CONNECT targets
      {"connect, invalid host field", "CONNECT a:1 HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
      {"connect, no host field", "CONNECT a:1 HTTP/1.1\r\n\r\n", 400},
      // 1.1-6
      {"connect with length", connect("a:1", "Content-Length: 5\r\n") + "hello", 400},
      {"connect with te", connect("a:1", "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400},
  };
  for (const char* target : {"a:", "a:0", "a:65536", "a:99999", "a:+1", "a:080x", "a", "http://a/", "u@a:1", "[::1",
                             "a:1:2", "/", "*", ":1", "a%0d%0ab:1"})
    all.push_back({target, connect(target) + kNext, 400});
  return all;
}

// Reads the request, answers 200 unless the body is broken.
void check(const Row& row, bool ragged) {
  SCOPED_TRACE(std::string(row.name) + (ragged ? ", byte by byte" : ""));
  SimWorld world;
  TestHandler handler([](http::ServerExchange& exchange) -> Task<void> {
    Result<std::string> body = co_await read_all(exchange);
    if (!body.ok()) co_return;  // unanswered: the codec knows the status
    http::ResponseHead head;
    (void)(co_await exchange.respond(head, http::Body::none())).ok();
  });
  {
    auto [mine, theirs] = make_user_space_pair(world.context, 65536);
    TestServer server(world, std::move(theirs), handler);
    RawPeer peer(world, std::move(mine));
    peer.write(row.bytes, ragged);
    EXPECT_EQ(status_line(peer.received()).substr(0, 12), "HTTP/1.1 " + std::to_string(row.status)) << peer.received();
    EXPECT_EQ(count_of(peer.received(), "HTTP/1.1 "), 1U) << peer.received();
    EXPECT_EQ(peer.ended(), row.close) << peer.received();
    EXPECT_FALSE(peer.reset());
    EXPECT_EQ(peer.received().find("connection: close\r\n") != std::string::npos, row.close);
    EXPECT_EQ(handler.requests.size(), static_cast<std::size_t>(row.requests_served));
    EXPECT_EQ(handler.rejections.size(), row.status == 200 || row.requests_served > 0 ? 0U : 1U);
    EXPECT_EQ(world.counters.value(Counter::heads_too_large), row.status == 431 ? 1U : 0U);
    EXPECT_EQ(world.counters.value(Counter::framing_floods), row.flood ? 1U : 0U);
    peer.finish();
    EXPECT_TRUE(server.done());
    EXPECT_TRUE(server.orderly);
  }
  EXPECT_TRUE(world.gauges_are_zero());
}

TEST(Policy, EveryRowWhole) {
  for (const Row& row : rows()) check(row, false);
}

TEST(Policy, EveryRowByteByByte) {
  for (const Row& row : rows()) check(row, true);
}

TEST(Policy, RawHeadIsCountedBeforeItIsParsed) {
  Limits limits;
  limits.head_bytes = 64;
  http::HeadScanner scanner(limits);
  EXPECT_EQ(scanner.scan(std::string(64, 'a')).fault.status, 0);
  EXPECT_EQ(scanner.scan(std::string(65, 'a')).fault.status, 431);
}

TEST(Policy, ScannerFindsTheEndInAnyPieces) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
  const std::string bytes = head + "rest";
  Limits limits;
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    http::HeadScanner scanner(limits);
    const auto first = scanner.scan(std::string_view(bytes).substr(0, cut));
    EXPECT_FALSE(first.fault);
    EXPECT_EQ(first.length, cut >= head.size() ? head.size() : 0) << cut;
    if (first.length == 0) {
      EXPECT_EQ(scanner.scan(bytes).length, head.size()) << cut;
    }
  }
}

http::JudgedRequest judged(http::RawHead raw) {
  http::JudgedRequest result;
  Limits limits;
  EXPECT_FALSE(http::judge_request(raw, limits, result));
  return result;
}

http::RawHead raw_head(const char* method, const char* target) {
  http::RawHead raw;
  raw.method = method;
  raw.target = target;
  raw.fields.add("host", "inner:81");
  return raw;
}

TEST(Policy, AbsoluteFormOverridesHost) {
  const http::JudgedRequest request = judged(raw_head("GET", "http://Outer:82?x"));
  EXPECT_EQ(request.head.authority, "Outer:82");
  EXPECT_EQ(request.head.path, "/?x");
  EXPECT_EQ(request.head.scheme, "http");
  EXPECT_FALSE(request.head.fields.contains("host"));
  EXPECT_EQ(judged(raw_head("OPTIONS", "http://outer")).head.path, "*");
  EXPECT_EQ(judged(raw_head("OPTIONS", "*")).head.path, "*");
  EXPECT_EQ(judged(raw_head("OPTIONS", "*")).head.authority, "inner:81");
}

TEST(Policy, ConnectTakesItsAuthorityFromTheTarget) {
  const http::JudgedRequest request = judged(raw_head("CONNECT", "[::1]:443"));
  EXPECT_EQ(request.head.authority, "[::1]:443");
  EXPECT_EQ(request.head.path, "");
  EXPECT_EQ(request.head.scheme, "");
  EXPECT_EQ(request.body, http::Body::tunnel());
  EXPECT_FALSE(request.keep_alive);
}

TEST(Policy, FieldsAreCountedAsHttp2Counts) {
  Limits limits;
  limits.head_bytes = 100;
  http::RawHead raw = raw_head("GET", "/");  // 4 + 8 + 32
  raw.fields.add("x", std::string(24, 'y'));
  http::JudgedRequest result;
  EXPECT_EQ(http::judge_request(raw, limits, result).status, 431);
}

struct ResponseRow {
  const char* name;
  unsigned status;
  int version;
  const char* method;
  std::vector<std::pair<const char*, const char*>> fields;
  bool fault;
  http::Body body = {};
  bool keep_alive = true;
};

TEST(Policy, Responses) {
  using http::Body;
  const std::vector<ResponseRow> all{
      {"length", 200, 11, "GET", {{"content-length", "5"}}, false, Body::of(5)},
      {"length 0", 200, 11, "GET", {{"content-length", "0"}}, false, Body::none()},
      {"chunked", 200, 11, "GET", {{"transfer-encoding", "Chunked"}}, false, Body::unknown()},
      {"until the end", 200, 11, "GET", {}, false, Body::unknown(), false},
      {"both", 200, 11, "GET", {{"content-length", "5"}, {"transfer-encoding", "chunked"}}, true},
      {"bad coding", 200, 11, "GET", {{"transfer-encoding", "gzip"}}, true},
      {"coding in 1.0", 200, 10, "GET", {{"transfer-encoding", "chunked"}}, true},
      {"bad length", 200, 11, "GET", {{"content-length", "x"}}, true},
      {"two lengths", 200, 11, "GET", {{"content-length", "1"}, {"content-length", "2"}}, true},
      {"head", 200, 11, "HEAD", {{"content-length", "5"}}, false, Body::none()},
      {"204", 204, 11, "GET", {}, false, Body::none()},
      {"304", 304, 11, "GET", {{"content-length", "5"}}, false, Body::none()},
      {"100", 100, 11, "GET", {}, false, Body::none()},
      {"101", 101, 11, "GET", {}, true},
      {"099", 99, 11, "GET", {}, true},
      {"close", 200, 11, "GET", {{"content-length", "5"}, {"connection", "x, Close"}}, false, Body::of(5), false},
      {"1.0", 200, 10, "GET", {{"content-length", "5"}}, false, Body::of(5), false},
      {"1.0 keep-alive", 200, 10, "GET", {{"content-length", "5"}, {"connection", "keep-alive"}}, false, Body::of(5)},
      {"connect 200", 200, 11, "CONNECT", {{"content-length", "5"}}, false, Body::tunnel(), false},
      {"connect 299", 299, 11, "CONNECT", {{"transfer-encoding", "gzip"}}, false, Body::tunnel(), false},
      {"connect 403", 403, 11, "CONNECT", {{"content-length", "5"}}, false, Body::of(5), false},
  };
  for (const ResponseRow& row : all) {
    SCOPED_TRACE(row.name);
    http::RawHead raw;
    raw.status = row.status;
    raw.version = row.version;
    for (const auto& [name, value] : row.fields) raw.fields.add(name, value);
    http::JudgedResponse result;
    Limits limits;
    const http::Fault fault = http::judge_response(raw, row.method, limits, result);
    EXPECT_EQ(static_cast<bool>(fault), row.fault);
    if (row.fault) {
      EXPECT_EQ(fault.status, 502);
      continue;
    }
    EXPECT_EQ(result.body, row.body);
    EXPECT_EQ(result.keep_alive, row.keep_alive);
    const bool informative = std::string_view(row.name) == "head" || std::string_view(row.name) == "304";
    EXPECT_EQ(result.head.fields.contains("content-length"), informative);
    EXPECT_FALSE(result.head.fields.contains("transfer-encoding"));
  }
}

}  // namespace
}  // namespace tunnel::test::http1
