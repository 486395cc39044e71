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
            "envoy://encap/  envoy://decap/7");
  inside.upstream = "internal:decap/host.com:0443";
  EXPECT_EQ(text("%UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% %UPSTREAM_REMOTE_PORT%", inside),
            "envoy://decap/host.com:0443 ");
  inside.upstream = "unix:/run/a.sock:80";
  EXPECT_EQ(text("%UPSTREAM_HOST% %UPSTREAM_REMOTE_PORT%", inside), "/run/a.sock:80 ");
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

// The values are those Envoy was seen to write.
TEST(AccessLine, OurEndOfAConnectionToAnUpstream) {
  const std::string local =
      "%UPSTREAM_LOCAL_ADDRESS%|%UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT%|%UPSTREAM_LOCAL_PORT%|"
      "%UPSTREAM_REQUEST_ATTEMPT_COUNT%";
  AccessRecord record = request();
  record.attempts = 2;
  EXPECT_EQ(text(local, record), "-|-|-|2");
  record.upstream_local = *SocketAddress::from_literal("::1", 4712);
  EXPECT_EQ(text(local, record), "[::1]:4712|::1|4712|2");
  AccessRecord inside = relay();
  inside.upstream = "internal:decap/7";
  EXPECT_EQ(text(local, inside), "envoy://internal_client_address/|envoy://internal_client_address/||0");
}

TEST(AccessLine, TheEndpointIdIsThatOfTheConnectionInside) {
  AccessRecord inside = relay();
  inside.listener = "encap";
  EXPECT_EQ(text("<%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%>", inside), "<>");
  inside.downstream_local = "internal:encap/a/b";
  EXPECT_EQ(text("<%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%>", inside), "<a/b>");
  EXPECT_EQ(text("<%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%>", request()), "<>");
}

TEST(AccessLine, MetadataOfTheConnectionKeepsItsKindInJson) {
  AccessRecord record = relay();
  record.metadata = std::make_shared<DynamicMetadata>(DynamicMetadata{
      {"a.b", {{"name", {"da\"ta"}}, {"empty", {""}}, {"number", {"1e+05", false}}, {"flag", {"true", false}}}}});
  EXPECT_EQ(text("%DYNAMIC_METADATA(a.b:name)% %DYNAMIC_METADATA(a.b:name):2% %DYNAMIC_METADATA(a.b:number)% "
                 "<%DYNAMIC_METADATA(a.b:empty)%> %DYNAMIC_METADATA(a.b:none)%",
                 record),
            "da\\x22ta da 1e+05 <> -");
  const AccessLine line(plan::AccessFormat{"",
                                           {{"name", "%DYNAMIC_METADATA(a.b:name)%"},
                                            {"empty", "%DYNAMIC_METADATA(a.b:empty)%"},
                                            {"number", "%DYNAMIC_METADATA(a.b:number)%"},
                                            {"flag", "%DYNAMIC_METADATA(a.b:flag):2%"},
                                            {"none", "%DYNAMIC_METADATA(a.c:flag)%"}}});
  EXPECT_EQ(line.of(record), R"({"name":"da\"ta","empty":"","number":1e+05,"flag":true,"none":null})"
                             "\n");
}

TEST(AccessLine, TrailersAreNoFieldsOfTheAnswer) {
  AccessRecord record = request();
  record.fields->trailers = {{"x-t", "trailer"}};
  EXPECT_EQ(text("%TRAILER(X-None?X-T):5% %TRAILER(Server)% %RESP(X-T)%", record), "trail - -");
}

TEST(AccessLine, NothingIsLeftOfValuesThatAreOmitted) {
  const std::string form = "<%REQ(x-none)%> <%RESPONSE_FLAGS%> <%UPSTREAM_LOCAL_PORT%>";
  EXPECT_EQ(AccessLine(plan::AccessFormat{form, {}, true}).of(request()), "<> <-> <>");
  const AccessLine line(plan::AccessFormat{"",
                                           {{"none", "%REQ(x-none)%"},
                                            {"flags", "%RESPONSE_FLAGS%"},
                                            {"port", "%UPSTREAM_LOCAL_PORT%"},
                                            {"id", "%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%"},
                                            {"object", "", {{"a", "", {{"b", "%REQ(x-none)%"}}}}},
                                            {"mixed", "%REQ(x-none)%%REQ(x-none)%"},
                                            {"text", ""}},
                                           true});
  EXPECT_EQ(line.of(request()), R"({"flags":"-","id":"","mixed":"","text":""})"
                                "\n");
  const AccessLine nothing(plan::AccessFormat{"", {{"none", "%REQ(x-none)%"}}, true});
  EXPECT_EQ(nothing.of(request()), "{}\n");
}

TEST(AccessLine, OfJsonHasADashForNoFlag) {
  const AccessLine line(plan::AccessFormat{"", {{"flags", "%RESPONSE_FLAGS%"}, {"long", "%RESPONSE_FLAGS_LONG%"}}});
  EXPECT_EQ(line.of(request()), "{\"flags\":\"-\",\"long\":\"-\"}\n");
}

}  // namespace
}  // namespace tunnel::runtime
