// SPDX-License-Identifier: Apache-2.0
#include "http/message.hpp"

#include <gtest/gtest.h>

#include "http/date.hpp"

namespace tunnel::http {
namespace {

Fields fields(std::initializer_list<Field> list) {
  Fields result;
  for (const Field& field : list) result.add(field.name, field.value);
  return result;
}

TEST(Fields, SetReplacesAllOfAName) {
  Fields all = fields({{"a", "1"}, {"b", "2"}, {"a", "3"}});
  all.set("a", "4");
  EXPECT_EQ(all, fields({{"b", "2"}, {"a", "4"}}));
  all.remove("b");
  EXPECT_EQ(all.find("b"), nullptr);
  EXPECT_EQ(*all.find("a"), "4");
}

TEST(Fields, FindsTheFirst) { EXPECT_EQ(*fields({{"a", "1"}, {"a", "2"}}).find("a"), "1"); }

TEST(Fields, TokensOfListsAreWholeAndCaseInsensitive) {
  const Fields all = fields({{"connection", "Keep-Alive , CLOSE"}, {"connection", "x"}, {"via", "closed"}});
  EXPECT_TRUE(all.has_token("connection", "close"));
  EXPECT_TRUE(all.has_token("connection", "keep-alive"));
  EXPECT_TRUE(all.has_token("connection", "x"));
  EXPECT_FALSE(all.has_token("connection", "clos"));
  EXPECT_FALSE(all.has_token("via", "close"));
  EXPECT_FALSE(all.has_token("none", "close"));
}

TEST(HopByHop, RemovesWhatConcernsOneConnection) {
  Fields all = fields({{"connection", "X-Own, keep-alive"},
                       {"x-own", "1"},
                       {"keep-alive", "5"},
                       {"proxy-connection", "close"},
                       {"te", "gzip"},
                       {"upgrade", "h"},
                       {"transfer-encoding", "x"},
                       {"proxy-authorization", "secret"},
                       {"proxy-authenticate", "x"},
                       {"accept", "*"},
                       {"trailer", "x"}});
  remove_hop_by_hop(all);
  EXPECT_EQ(all, fields({{"accept", "*"}, {"trailer", "x"}}));
}

TEST(HopByHop, KeepsTeTrailersOnly) {
  Fields all = fields({{"te", "gzip, Trailers"}, {"connection", "te"}});
  remove_hop_by_hop(all);
  EXPECT_EQ(all, fields({{"te", "trailers"}}));
}

TEST(Reason, KnownAndUnknown) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_FALSE(reason_phrase(299).empty());
}

TEST(Date, IsInTheFixedFormat) {
  EXPECT_EQ(format_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(format_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
  EXPECT_EQ(current_date().size(), 29U);
}

}  // namespace
}  // namespace tunnel::http
