// SPDX-License-Identifier: Apache-2.0
// The tables of base: errors, counters, and what the log does to a peer's bytes.
#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/counters.hpp"
#include "base/log.hpp"
#include "tunnel/error.hpp"

namespace tunnel {
namespace {

using Kind = Error::Kind;

TEST(Error, NoneIsFalse) {
  EXPECT_FALSE(static_cast<bool>(Error()));
  EXPECT_TRUE(static_cast<bool>(Error(Kind::reset)));
}

TEST(Error, StatusAndTokenByKind) {
  struct Row {
    Kind kind;
    std::uint16_t status;
    std::string_view token;
    std::string_view word;
  };
  for (const Row& row :
       {Row{Kind::reset, 502, "connection_terminated", "reset"},
        Row{Kind::closed, 502, "connection_terminated", "closed"},
        Row{Kind::refused, 502, "connection_refused", "refused"},
        Row{Kind::timeout, 504, "connection_timeout", "timeout"},
        Row{Kind::unreachable, 502, "destination_ip_unroutable", "unreachable"},
        Row{Kind::dns, 502, "dns_error", "dns"}, Row{Kind::denied, 403, "http_request_denied", "denied"},
        Row{Kind::protocol, 502, "http_protocol_error", "protocol"},
        Row{Kind::limit, 503, "connection_limit_reached", "limit"}, Row{Kind::loop, 502, "proxy_loop_detected", "loop"},
        Row{Kind::unknown_destination, 503, "destination_not_found", "unknown_destination"},
        Row{Kind::shutdown, 503, "", "shutdown"}, Row{Kind::internal, 503, "proxy_internal_error", "internal"},
        Row{Kind::cancelled, 502, "connection_terminated", "cancelled"}}) {
    SCOPED_TRACE(row.word);
    const Error error(row.kind, "text");
    EXPECT_EQ(http_status(error), row.status);
    EXPECT_EQ(proxy_status_token(error), row.token);
    EXPECT_EQ(to_string(row.kind), row.word);
    EXPECT_EQ(error.text(), "text");
  }
}

TEST(Error, WhoeverKnowsBetterWins) {
  Error error(Kind::timeout);
  error.with(503, "destination_unavailable").on(Error::Side::upstream);
  EXPECT_EQ(http_status(error), 503);
  EXPECT_EQ(proxy_status_token(error), "destination_unavailable");
  EXPECT_EQ(error.side, Error::Side::upstream);
}

TEST(Error, FromErrno) {
  for (const auto& [number, kind] :
       {std::pair{ECONNRESET, Kind::reset}, std::pair{EPIPE, Kind::closed}, std::pair{ECONNREFUSED, Kind::refused},
        std::pair{ETIMEDOUT, Kind::timeout}, std::pair{EHOSTUNREACH, Kind::unreachable},
        std::pair{ENETUNREACH, Kind::unreachable}, std::pair{EMFILE, Kind::internal}})
    EXPECT_EQ(error_from_errno(number).kind, kind) << number;
  EXPECT_EQ(error_from_errno(ECONNREFUSED, "connect to 10.0.0.1:80").text(),
            "connect to 10.0.0.1:80: Connection refused");
  EXPECT_TRUE(is_ordinary_end(error_from_errno(ECONNRESET)));
  EXPECT_FALSE(is_ordinary_end(error_from_errno(ETIMEDOUT)));
}

TEST(Error, CopiesShareTheText) {
  const Error error(Kind::reset, "a long enough text to be on the heap for certain");
  const Error copy = error;  // NOLINT(performance-unnecessary-copy-initialization): the copy is what is looked at
  EXPECT_EQ(copy.detail.get(), error.detail.get());
}

TEST(Result, ValueOrError) {
  Result<int> good(3);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(*good, 3);
  const Result<int> bad{Error(Kind::dns)};
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().kind, Kind::dns);
  EXPECT_TRUE(Result<void>().ok());
  EXPECT_FALSE(Result<void>(Error(Kind::dns)).ok());
}

TEST(Counters, NamesAreUniqueAndWellFormed) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kCounterCount; ++i) {
    const std::string_view name = name_of(static_cast<Counter>(i));
    EXPECT_TRUE(name.starts_with("tunnel_")) << name;
    EXPECT_TRUE(name.ends_with("_total")) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  for (std::size_t i = 0; i < kGaugeCount; ++i) {
    const std::string_view name = name_of(static_cast<Gauge>(i));
    EXPECT_TRUE(name.starts_with("tunnel_")) << name;
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(name_of(Counter::idle_timeouts), "tunnel_idle_timeouts_total");
  EXPECT_EQ(name_of(Gauge::pairs), "tunnel_pairs_active");
}

TEST(Counters, AddAndGauges) {
  Counters counters;
  counters.add(Counter::requests);
  counters.add(Counter::requests, 4);
  EXPECT_EQ(counters.value(Counter::requests), 5U);
  EXPECT_EQ(counters.value(Counter::connections), 0U);
  {
    GaugeGuard guard(counters, Gauge::streams);
    EXPECT_EQ(counters.value(Gauge::streams), 1U);
    const GaugeGuard moved(std::move(guard));
    EXPECT_EQ(counters.value(Gauge::streams), 1U);
  }
  EXPECT_EQ(counters.value(Gauge::streams), 0U);
}

TEST(Log, EscapesWhatAPeerCouldForgeLinesWith) {
  using namespace std::string_view_literals;
  EXPECT_EQ(log::escape("plain text"), "plain text");
  EXPECT_EQ(log::escape("a\r\nfake line"), "a\\x0d\\x0afake line");
  EXPECT_EQ(log::escape("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(log::escape("back\\slash"), "back\\x5cslash");
  EXPECT_EQ(log::escape("nul\0byte"sv), "nul\\x00byte");
  EXPECT_EQ(log::escape("\x7f\x80\xff"), "\\x7f\\x80\\xff");
  EXPECT_EQ(log::escape(std::string(2000, 'x')), std::string(512, 'x') + "...");
  EXPECT_EQ(log::escape(std::string(512, 'x')), std::string(512, 'x'));
  EXPECT_EQ(log::escape("abcdef", 3), "abc...");
}

}  // namespace
}  // namespace tunnel
