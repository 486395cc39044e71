// SPDX-License-Identifier: Apache-2.0
#include "runtime/access_line.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tunnel::runtime {
namespace {

AccessRecord request() {
  AccessRecord record;
  record.kind = AccessRecord::Kind::request;
  record.answer = AccessRecord::Answer::upstream;
  record.listener = "front";
  record.start = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'700'000'000'042));
  record.duration = std::chrono::microseconds(12'945);
  record.protocol = "HTTP/1.1";
  record.downstream_remote = "[::1]:4711";
  record.downstream_local = "127.0.0.1:9999";
  record.upstream = "10.0.0.1:80";
  record.cluster = "up";
  record.method = "GET";
  record.authority = "a.example";
  record.path = "/p?q=1";
  record.status = 200;
  record.bytes_received = 7;
  record.bytes_sent = 4096;
  record.fields = std::make_shared<LoggedFields>();
  record.fields->request = {{"user-agent", "curl \"x\"\n"}};
  record.fields->response = {{"server", "origin"}};
  return record;
}

AccessRecord relay() {
  AccessRecord record;
  record.kind = AccessRecord::Kind::connection;
  record.protocol = "TCP";
  record.downstream_remote = "127.0.0.1:4711";
  record.downstream_local = "internal:encap";
  record.authority = "target:443";
  record.cluster = "proxy";
  record.error = Error(Error::Kind::refused, "connect to 10.0.0.1:1: Connection refused");
  return record;
}

std::string text(const std::string& format, const AccessRecord& record) {
  return AccessLine(plan::AccessFormat{format, {}}).of(record);
}

TEST(AccessLine, IsEnvoysDefault) {
  EXPECT_EQ(text("[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% "
                 "%RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(SERVER)% \"%REQ(X-FORWARDED-FOR)%\" "
                 "\"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n",
                 request()),
            "[2023-11-14T22:13:20.042Z] \"GET /p?q=1 HTTP/1.1\" 200 - 7 4096 12 origin \"-\" \"a.example\" "
            "\"10.0.0.1:80\"\n");
}

TEST(AccessLine, OfARelayKnowsNoRequest) {
  EXPECT_EQ(text("%REQ(:METHOD)% %REQ(:AUTHORITY)% %PROTOCOL% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST% "
                 "%UPSTREAM_CLUSTER% %ACCESS_LOG_TYPE% %RESPONSE_FLAGS% %RESPONSE_FLAGS_LONG% "
                 "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
                 relay()),
            "- - - 0 - - proxy TcpConnectionEnd UF,URX UpstreamConnectionFailure,UpstreamRetryLimitExceeded "
            "connect_to_10.0.0.1:1:_Connection_refused");
}

TEST(AccessLine, AddressesComeWholeAndInParts) {
  EXPECT_EQ(text("%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_REMOTE_PORT% "
                 "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT% "
                 "%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%",
                 request()),
            "[::1]:4711 ::1 4711 127.0.0.1:9999 127.0.0.1 9999 10.0.0.1 80");
  AccessRecord inside = relay();
  inside.upstream = "internal:decap/7";
  EXPECT_EQ(text("%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_PORT% %UPSTREAM_HOST%", inside),
            "envoy://encap/ - envoy://decap/7");
  inside.upstream = "internal:decap/host.com:0443";
  EXPECT_EQ(text("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%", inside),
            "envoy://decap/host.com:0443 -");
  inside.upstream = "unix:/run/a.sock:80";
  EXPECT_EQ(text("%UPSTREAM_HOST% %UPSTREAM_REMOTE_PORT%", inside), "/run/a.sock:80 -");
}

TEST(AccessLine, TheServerAClientAsksFor) {
  AccessRecord record = relay();
  EXPECT_EQ(text("%REQUESTED_SERVER_NAME%", record), "-");
  record.server_name = "db.example";
  EXPECT_EQ(text("%REQUESTED_SERVER_NAME%", record), "db.example");
}

TEST(AccessLine, AClientThatHasGoneWasToldNothing) {
  AccessRecord record = request();
  record.answer = AccessRecord::Answer::none;
  record.status = 502;
  EXPECT_EQ(text("%RESPONSE_CODE% %RESP(:STATUS)%", record), "502 502");
  record.error = Error(Error::Kind::reset).on(Error::Side::downstream);
  EXPECT_EQ(text("%RESPONSE_CODE% %RESP(:STATUS)%", record), "0 -");
}

TEST(AccessLine, WhatAPeerSentStaysWithinItsPlace) {
  EXPECT_EQ(text("\"%REQ(USER-AGENT)%\" %REQ(x?user-agent):4%", request()), "\"curl \\x22x\\x22\\x0a\" curl");
}

TEST(AccessLine, LongValuesAreWhole) {
  AccessRecord record = request();
  record.fields->request = {{"x-long", std::string(5000, 'x')}};
  EXPECT_EQ(text("%REQ(X-LONG)%", record).size(), 5000U);
  EXPECT_EQ(text("%REQ(X-LONG):2000%", record).size(), 2000U);
}

TEST(AccessLine, OfJsonKeepsNumbersAndHasNullForNothing) {
  const AccessLine line(plan::AccessFormat{"",
                                           {{"agent", "%REQ(USER-AGENT)%"},
                                            {"code", "%RESPONSE_CODE%"},
                                            {"none", "%REQ(x-none)%"},
                                            {"sizes", "", {{"in", "%BYTES_RECEIVED%"}, {"text", "%BYTES_SENT% B"}}},
                                            {"word", "a \"b\" %REQ(x-none)%"}}});
  EXPECT_EQ(line.of(request()),
            R"({"agent":"curl \"x\"\\x0a","code":200,"none":null,"sizes":{"in":7,"text":"4096 B"},"word":"a \"b\" -"})"
            "\n");
}

TEST(AccessLine, OfJsonHasADashForNoFlag) {
  const AccessLine line(plan::AccessFormat{"", {{"flags", "%RESPONSE_FLAGS%"}, {"long", "%RESPONSE_FLAGS_LONG%"}}});
  EXPECT_EQ(line.of(request()), "{\"flags\":\"-\",\"long\":\"-\"}\n");
}

}  // namespace
}  // namespace tunnel::runtime
