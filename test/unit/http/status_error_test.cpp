// SPDX-License-Identifier: Apache-2.0
// The rows of test/RULES.md 1.6 an Error can tell of.
#include "http/status_error.hpp"

#include <gtest/gtest.h>

namespace tunnel::http {
namespace {

struct Row {
  Error error;
  int status;
  const char* proxy_status;  // nullptr: no such field
  bool retry_after = false;
};

TEST(StatusError, EveryRow) {
  using Kind = Error::Kind;
  Error refused_by_proxy(Kind::refused, "the next proxy answered 407");
  refused_by_proxy.status = 502;
  refused_by_proxy.received_status = 407;
  const std::vector<Row> rows{
      {Error(Kind::protocol).with(400, "http_request_error"), 400, "tunnel; error=http_request_error"},
      {Error(Kind::denied), 403, "tunnel; error=http_request_denied"},
      {Error(Kind::denied).with(403, "destination_ip_prohibited"), 403, "tunnel; error=destination_ip_prohibited"},
      {Error(Kind::dns).with(502, "dns_error;rcode=\"NXDOMAIN\""), 502, "tunnel; error=dns_error;rcode=\"NXDOMAIN\""},
      {Error(Kind::timeout).with(504, "dns_timeout"), 504, "tunnel; error=dns_timeout"},
      {Error(Kind::refused), 502, "tunnel; error=connection_refused"},
      {Error(Kind::timeout), 504, "tunnel; error=connection_timeout"},
      {Error(Kind::unreachable), 502, "tunnel; error=destination_ip_unroutable"},
      {Error(Kind::limit), 503, "tunnel; error=connection_limit_reached", true},
      {Error(Kind::shutdown), 503, nullptr, true},
      {Error(Kind::internal), 503, "tunnel; error=proxy_internal_error", true},
      {Error(Kind::unknown_destination), 503, "tunnel; error=destination_not_found"},
      {Error(Kind::loop), 502, "tunnel; error=proxy_loop_detected"},
      {refused_by_proxy, 502, "tunnel; received-status=407"},
      {Error(refused_by_proxy).with(502, "http_protocol_error"), 502,
       "tunnel; error=http_protocol_error; received-status=407"},
  };
  for (const Row& row : rows) {
    const StatusAnswer answer = status_answer(row.error);
    SCOPED_TRACE(row.proxy_status == nullptr ? "shutdown" : row.proxy_status);
    EXPECT_EQ(answer.head.status, row.status);
    const std::string* field = answer.head.fields.find("proxy-status");
    ASSERT_EQ(field != nullptr, row.proxy_status != nullptr);
    if (field != nullptr) {
      EXPECT_EQ(*field, row.proxy_status);
    }
    EXPECT_EQ(answer.head.fields.contains("retry-after"), row.retry_after);
    EXPECT_EQ(*answer.head.fields.find("content-type"), "text/plain");
    EXPECT_EQ(answer.text.substr(0, 4), std::to_string(row.status) + " ");
  }
}

TEST(StatusError, NeverTellsWhere) {
  const StatusAnswer answer = status_answer(Error(Error::Kind::refused, "connect to 10.1.2.3:80: refused"));
  EXPECT_EQ(answer.text, "502 Bad Gateway (connection_refused)\n");
  for (const Field& field : answer.head.fields) EXPECT_EQ(field.value.find("10.1"), std::string::npos);
}

TEST(StatusError, TheTextNamesWhatTheNextProxyAnswered) {
  Error answered(Error::Kind::refused);
  answered.received_status = 403;
  EXPECT_EQ(status_answer(answered).text, "502 Bad Gateway (the next proxy answered 403)\n");
  EXPECT_EQ(status_answer(Error(answered).with(502, "dns_error")).text,
            "502 Bad Gateway (dns_error, the next proxy answered 403)\n");
}

TEST(StatusError, MethodNotAllowedNamesTheOneThatIs) {
  EXPECT_EQ(*status_answer(Error(Error::Kind::denied).with(405, "")).head.fields.find("allow"), "CONNECT");
}

}  // namespace
}  // namespace tunnel::http
