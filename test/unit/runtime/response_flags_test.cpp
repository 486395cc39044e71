// SPDX-License-Identifier: Apache-2.0
#include "runtime/response_flags.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tunnel::runtime {
namespace {

using Kind = Error::Kind;
using Side = Error::Side;
using Answer = AccessRecord::Answer;

AccessRecord request(Answer answer, const Error& error, const std::string& upstream = "") {
  AccessRecord record;
  record.kind = AccessRecord::Kind::request;
  record.protocol = "HTTP/1.1";
  record.answer = answer;
  record.error = error;
  record.upstream = upstream;
  return record;
}

AccessRecord relay(const Error& error, const std::string& upstream) {
  AccessRecord record = request(Answer::none, error, upstream);
  record.kind = AccessRecord::Kind::connection;
  record.protocol = "TCP";
  return record;
}

Error on(Kind kind, Side side, const std::string& text = "") {
  Error error(kind, text);
  error.side = side;
  return error;
}

std::string said(const AccessRecord& record) {
  return std::string(response_flag(record).flag) + "|" + response_details(record);
}

// As Envoy 1.40 was seen to write them.
TEST(ResponseFlags, OfRequests) {
  EXPECT_EQ(said(request(Answer::upstream, Error(), "u:1")), "|via_upstream");
  EXPECT_EQ(said(request(Answer::route, Error())), "|direct_response");
  EXPECT_EQ(said(request(Answer::no_route, Error())), "NR|route_not_found");
  EXPECT_EQ(said(request(Answer::no_upgrade, Error())), "|upgrade_failed");
  EXPECT_EQ(said(request(Answer::none, Error(Kind::refused))),
            "UF|upstream_reset_before_response_started{remote_connection_failure}");
  EXPECT_EQ(said(request(Answer::none, Error(Kind::timeout))),
            "UF|upstream_reset_before_response_started{remote_connection_failure}");
  EXPECT_EQ(said(request(Answer::none, on(Kind::closed, Side::upstream), "u:1")),
            "UC|upstream_reset_before_response_started{connection_termination}");
  EXPECT_EQ(said(request(Answer::upstream, on(Kind::reset, Side::upstream), "u:1")),
            "UC|upstream_reset_after_response_started{connection_termination}");
  Error code = on(Kind::reset, Side::upstream);
  code.reset_code = 2;
  EXPECT_EQ(said(request(Answer::none, code, "u:1")), "UR|upstream_reset_before_response_started{remote_reset}");
  EXPECT_EQ(said(request(Answer::none, on(Kind::protocol, Side::upstream), "u:1")),
            "UPE|upstream_reset_before_response_started{protocol_error}");
  EXPECT_EQ(said(request(Answer::none, Error(Kind::timeout).with(504, kResponseTimeout), "u:1")),
            "UT|response_timeout");
  EXPECT_EQ(said(request(Answer::none, Error(Kind::timeout).with(504, kResponseTimeout))), "UT|response_timeout");
  EXPECT_EQ(said(request(Answer::upstream, Error(Kind::timeout), "u:1")), "SI|stream_idle_timeout");
  EXPECT_EQ(said(request(Answer::upstream, Error(Kind::timeout, kLifetimeOver), "u:1")), "DT|duration_timeout");
  EXPECT_EQ(said(request(Answer::none, Error(Kind::limit))), "UO|upstream_reset_before_response_started{overflow}");
  EXPECT_EQ(said(request(Answer::none, Error(Kind::dns))),
            "DF|upstream_reset_before_response_started{dns_resolution_failure}");
  EXPECT_EQ(said(request(Answer::none, Error(Kind::denied))), "UH|no_healthy_upstream");
  EXPECT_EQ(said(request(Answer::none, Error(Kind::shutdown))),
            "LR|upstream_reset_before_response_started{local_connection_failure}");
}

TEST(ResponseFlags, OfClients) {
  EXPECT_EQ(said(request(Answer::none, on(Kind::closed, Side::downstream))), "DC|downstream_remote_disconnect");
  EXPECT_EQ(said(request(Answer::none, on(Kind::protocol, Side::downstream))), "DPE|http1.codec_error");
  AccessRecord h2 = request(Answer::upstream, on(Kind::reset, Side::downstream), "u:1");
  h2.protocol = "HTTP/2";
  EXPECT_EQ(said(h2), "DR|http2.remote_reset");
  h2.error.kind = Kind::protocol;
  EXPECT_EQ(said(h2), "DPE|http2.violation.of.messaging.rule");
  AccessRecord refused = request(Answer::none, Error(Kind::limit));
  refused.refused = true;
  EXPECT_EQ(said(refused), "OL|overload_manager");
}

TEST(ResponseFlags, OfRelays) {
  EXPECT_EQ(said(relay(Error(), "u:1")), "|");
  EXPECT_EQ(said(relay(on(Kind::reset, Side::downstream), "u:1")), "|");
  EXPECT_EQ(said(relay(on(Kind::reset, Side::upstream), "u:1")), "UR|");
  EXPECT_EQ(said(relay(Error(Kind::timeout), "u:1")), "|");
  EXPECT_EQ(said(relay(Error(Kind::timeout, kLifetimeOver), "u:1")), "DT|");
  EXPECT_EQ(said(relay(Error(Kind::limit), "")), "UO|");
  EXPECT_EQ(said(relay(on(Kind::reset, Side::downstream), "")), "DC|");
  EXPECT_EQ(said(relay(Error(Kind::refused), "")), "UF|");
  EXPECT_TRUE(used_up_attempts(relay(Error(Kind::refused), "")));
  EXPECT_FALSE(used_up_attempts(relay(Error(Kind::limit), "")));
  EXPECT_FALSE(used_up_attempts(request(Answer::none, Error(Kind::refused))));
}

}  // namespace
}  // namespace tunnel::runtime
