// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "runtime/access_log.hpp"

namespace tunnel {
namespace {

using Kind = Error::Kind;
using plan::LogFormat;
using runtime::format_record;

AccessRecord connection() {
  AccessRecord record;
  record.kind = AccessRecord::Kind::connection;
  record.listener = "chain";
  record.start = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'042));
  record.duration = std::chrono::microseconds(12'345);
  record.protocol = "TCP";
  record.downstream_remote = "127.0.0.1:4711";
  record.downstream_local = "127.0.0.1:9999";
  record.upstream = "127.0.0.1:10000";
  record.cluster = "chain-out";
  record.bytes_received = 78;
  record.bytes_sent = 4096;
  return record;
}

AccessRecord tunnel_record() {
  AccessRecord record = connection();
  record.kind = AccessRecord::Kind::tunnel;
  record.listener = "decap";
  record.protocol = "HTTP/2";
  record.method = "CONNECT";
  record.authority = "example.com:443";
  record.status = 502;
  record.upstream.clear();
  record.error = Error(Kind::refused, "the proxy answered 403").on(Error::Side::upstream);
  record.error.received_status = 403;
  return record;
}

AccessRecord request() {
  AccessRecord record = connection();
  record.kind = AccessRecord::Kind::request;
  record.protocol = "HTTP/1.1";
  record.method = "GET";
  record.authority = "example.com";
  record.path = "/index.html?q=a b";
  record.status = 200;
  return record;
}

TEST(FormatRecord, TextOfAConnection) {
  EXPECT_EQ(format_record(connection(), LogFormat::text),
            "2023-11-14T22:13:20.042Z chain 127.0.0.1:4711 -> 127.0.0.1:10000 TCP received 78 sent 4096 in 12.345 ms: "
            "ok");
}

TEST(FormatRecord, AutomaticIsText) {
  EXPECT_EQ(format_record(connection(), LogFormat::automatic), format_record(connection(), LogFormat::text));
}

TEST(FormatRecord, TextOfAConnectionInATunnelThatWasReset) {
  AccessRecord record = connection();
  record.authority = "example.com:443";
  record.error = Error(Kind::reset, "Connection reset by peer").on(Error::Side::downstream);
  EXPECT_EQ(format_record(record, LogFormat::text),
            "2023-11-14T22:13:20.042Z chain 127.0.0.1:4711 -> 127.0.0.1:10000 TCP in CONNECT example.com:443 received "
            "78 sent 4096 in 12.345 ms: downstream reset (Connection reset by peer)");
}

TEST(FormatRecord, TextOfARefusedTunnel) {
  EXPECT_EQ(format_record(tunnel_record(), LogFormat::text),
            "2023-11-14T22:13:20.042Z decap 127.0.0.1:4711 -> - \"CONNECT example.com:443 HTTP/2\" 502 received 78 "
            "sent 4096 in 12.345 ms: upstream refused (the proxy answered 403)");
}

TEST(FormatRecord, TextOfARequest) {
  AccessRecord record = request();
  record.path = "/index.html";
  EXPECT_EQ(format_record(record, LogFormat::text),
            "2023-11-14T22:13:20.042Z chain 127.0.0.1:4711 -> 127.0.0.1:10000 \"GET example.com/index.html HTTP/1.1\" "
            "200 received 78 sent 4096 in 12.345 ms: ok");
}

TEST(FormatRecord, TextOfARequestNobodyCouldRead) {
  AccessRecord record = connection();
  record.kind = AccessRecord::Kind::request;
  record.protocol = "HTTP/1.1";
  record.status = 400;
  record.upstream.clear();
  record.error = Error(Kind::protocol, "two Host fields").on(Error::Side::downstream);
  EXPECT_EQ(format_record(record, LogFormat::text),
            "2023-11-14T22:13:20.042Z chain 127.0.0.1:4711 -> - \"- HTTP/1.1\" 400 received 78 sent 4096 in 12.345 "
            "ms: downstream protocol (two Host fields)");
}

TEST(FormatRecord, Logfmt) {
  EXPECT_EQ(format_record(tunnel_record(), LogFormat::logfmt),
            "time=2023-11-14T22:13:20.042Z listener=decap protocol=HTTP/2 downstream=127.0.0.1:4711 "
            "local=127.0.0.1:9999 cluster=chain-out method=CONNECT authority=example.com:443 "
            "outcome=\"upstream refused\" detail=\"the proxy answered 403\" status=502 received_status=403 "
            "bytes_received=78 bytes_sent=4096 duration_us=12345");
}

TEST(FormatRecord, LogfmtQuotesWhatWouldSplit) {
  const std::string line = format_record(request(), LogFormat::logfmt);
  EXPECT_NE(line.find(" path=\"/index.html?q=a b\" "), std::string::npos) << line;
  AccessRecord record = request();
  record.path = "/a=\"b\"";
  EXPECT_NE(format_record(record, LogFormat::logfmt).find(" path=\"/a=\\\"b\\\"\" "), std::string::npos);
}

TEST(FormatRecord, Json) {
  EXPECT_EQ(format_record(tunnel_record(), LogFormat::json),
            R"({"time":"2023-11-14T22:13:20.042Z","listener":"decap","protocol":"HTTP/2",)"
            R"("downstream":"127.0.0.1:4711","local":"127.0.0.1:9999","cluster":"chain-out","method":"CONNECT",)"
            R"("authority":"example.com:443","outcome":"upstream refused","detail":"the proxy answered 403",)"
            R"("status":502,"received_status":403,"bytes_received":78,"bytes_sent":4096,"duration_us":12345})");
}

TEST(FormatRecord, JsonLeavesOutWhatIsNotThere) {
  const std::string line = format_record(connection(), LogFormat::json);
  for (const char* absent : {"status", "method", "authority", "path", "detail"})
    EXPECT_EQ(line.find("\"" + std::string(absent) + "\""), std::string::npos) << absent;
  EXPECT_NE(line.find(R"("outcome":"ok")"), std::string::npos);
}

// test/RULES.md, log injection: bytes of a peer never make a second record, a terminal command or a wrong reading
// order.
struct Hostile {
  const char* name;
  std::string bytes;
  std::string escaped;
};

class LogInjection : public testing::TestWithParam<Hostile> {};

TEST_P(LogInjection, OneHarmlessLineInEveryFormat) {
  AccessRecord record = request();
  record.method = record.authority = record.path = GetParam().bytes;
  record.downstream_remote = record.downstream_local = record.upstream = GetParam().bytes;
  record.error = Error(Kind::protocol, GetParam().bytes);
  for (const LogFormat format : {LogFormat::text, LogFormat::logfmt, LogFormat::json}) {
    const std::string line = format_record(record, format);
    for (const char c : line) {
      const auto byte = static_cast<unsigned char>(c);
      ASSERT_TRUE(byte >= 0x20 && byte < 0x7f) << static_cast<int>(byte) << " in " << line;
    }
  }
  EXPECT_NE(format_record(record, LogFormat::text).find(GetParam().escaped), std::string::npos)
      << format_record(record, LogFormat::text);
  const boost::json::value parsed = boost::json::parse(format_record(record, LogFormat::json));
  EXPECT_EQ(parsed.at("authority").as_string(), GetParam().escaped);
  EXPECT_EQ(parsed.at("detail").as_string(), GetParam().escaped);
}

const Hostile kHostile[] = {
    {"Newline", "a\n2023 forged", "a\\x0a2023 forged"},
    {"CarriageReturn", "a\rb", "a\\x0db"},
    {"Escape", "\x1b[2J", "\\x1b[2J"},
    {"Nul", std::string("a\0b", 3), "a\\x00b"},
    {"RightToLeftOverride",
     "a\xe2\x80\xae"
     "b",
     "a\\xe2\\x80\\xaeb"},
    {"Backslash", "a\\x0a", "a\\x5cx0a"},
    {"NotUtf8", "\xff\xfe", "\\xff\\xfe"},
    {"Delete", "a\x7f", "a\\x7f"},
    {"LineSeparator",
     "a\xe2\x80\xa8"
     "b",
     "a\\xe2\\x80\\xa8b"},
    {"C1Control",
     "\xc2\x9b"
     "31m",
     "\\xc2\\x9b31m"},
};

INSTANTIATE_TEST_SUITE_P(FormatRecord, LogInjection, testing::ValuesIn(kHostile),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(FormatRecord, AQuoteInAFieldEndsNoField) {
  AccessRecord record = request();
  record.authority = "a\" 200 \"b";
  const std::string text = format_record(record, LogFormat::text);
  // Exactly the two quotes of the format itself.
  EXPECT_EQ(std::count(text.begin(), text.end(), '"'), 2) << text;
  const boost::json::value parsed = boost::json::parse(format_record(record, LogFormat::json));
  EXPECT_EQ(parsed.at("status").to_number<int>(), 200);
}

TEST(FormatRecord, AFieldIsCut) {
  AccessRecord record = request();
  record.path = std::string(100'000, 'x');
  record.authority = std::string(100'000, '\n');
  const std::string line = format_record(record, LogFormat::json);
  EXPECT_LT(line.size(), 2500U);
  EXPECT_NE(line.find("..."), std::string::npos);
}

}  // namespace
}  // namespace tunnel
