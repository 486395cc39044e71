// SPDX-License-Identifier: Apache-2.0
#include "net/client_hello.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

#include "support/tls_hello.hpp"

namespace tunnel::net {
namespace {

using State = ClientHello::State;
using test::tls_hello;
using test::tls_hello_of_bytes;
using Read = std::pair<State, std::string>;

// What is read of `bytes`, `step` at a time.
Read read(const std::string& bytes, std::size_t step) {
  ClientHello hello;
  for (std::size_t at = 0; at < bytes.size(); at += step) hello.take(std::string_view(bytes).substr(at, step));
  return {hello.state(), hello.server_name()};
}
Read read(const std::string& bytes) { return read(bytes, bytes.size()); }

TEST(ClientHello, NamesItsServer) {
  EXPECT_EQ(read(tls_hello("db.example")), Read(State::named, "db.example"));
  EXPECT_EQ(read(tls_hello("Db.EXAMPLE")), Read(State::named, "db.example"));
  EXPECT_EQ(read(tls_hello("a")), Read(State::named, "a"));
  EXPECT_EQ(read(tls_hello("")), Read(State::unnamed, ""));
}

TEST(ClientHello, ItsLastByteDecides) {
  const std::string hello = tls_hello("db.example");
  for (std::size_t n = 0; n < hello.size(); ++n) {
    ClientHello cut;
    ASSERT_EQ(cut.take(hello.substr(0, n)), State::incomplete) << n;
    ASSERT_EQ(cut.server_name(), "") << n;
    ASSERT_EQ(cut.take(hello.substr(n)), State::named) << n;
    ASSERT_EQ(cut.server_name(), "db.example") << n;
  }
  EXPECT_EQ(read(hello, 1), Read(State::named, "db.example"));
}

TEST(ClientHello, WhatComesBehindItChangesNothing) {
  EXPECT_EQ(read(tls_hello("db.example") + tls_hello("other.example")), Read(State::named, "db.example"));
  EXPECT_EQ(read(tls_hello("db.example") + "early data", 7), Read(State::named, "db.example"));
}

TEST(ClientHello, MayTakeSeveralRecords) {
  const std::string hello = tls_hello("db.example", 20000);
  ASSERT_GT(hello.size(), 20000U);
  EXPECT_EQ(read(hello), Read(State::named, "db.example"));
  EXPECT_EQ(read(hello, 1000), Read(State::named, "db.example"));
}

TEST(ClientHello, AnythingElseIsKnownAtOnce) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n"), std::string("SSH-2.0-x\r\n"), std::string("\0", 1),
        std::string("\x80\x2e\x01\x03\x01", 5), std::string("\x15\x03\x01\x00\x02", 5)}) {
    ClientHello hello;
    EXPECT_EQ(hello.take(std::string_view(bytes).substr(0, 1)), State::not_tls);
    EXPECT_EQ(hello.take(tls_hello("db.example")), State::not_tls);
  }
  EXPECT_EQ(read("\x16GET / HTTP/1.1\r\n"), Read(State::not_tls, ""));
  EXPECT_EQ(read(std::string("\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00", 10)),
            Read(State::not_tls, ""));  // a ServerHello
}

TEST(ClientHello, ANameThatIsNoHostIsNone) {
  for (const std::string& name :
       {std::string("a\0b.example", 11), std::string("a b"), std::string("a\r\nb"), std::string("a%b"),
        std::string("db.example:443"), std::string("::1"), std::string("[::1]"), std::string("a/b"), std::string("u@h"),
        std::string("\xc3\xa9.example"), std::string("a..b"), std::string("-a"), std::string("127.1"), std::string("."),
        std::string("\x7f"), std::string("*.example"), std::string(64, 'l')})
    EXPECT_EQ(read(tls_hello_of_bytes(name)), Read(State::unnamed, "")) << name;
  EXPECT_EQ(read(tls_hello_of_bytes("10.0.0.1")), Read(State::named, "10.0.0.1"));
  EXPECT_EQ(read(tls_hello_of_bytes("a_b.example.")), Read(State::named, "a_b.example."));
}

// The lengths around the name are those of the client, too.
TEST(ClientHello, AListThatDoesNotFitItsNameNamesNobody) {
  const std::string name = "db.example";
  const std::string good = tls_hello(name);
  const std::size_t at = good.find(name);
  ASSERT_NE(at, std::string::npos);
  for (std::size_t before = 1; before <= 5; ++before) {
    for (const int by : {-1, 1, 64}) {
      std::string bad = good;
      bad[at - before] = static_cast<char>(bad[at - before] + by);
      EXPECT_EQ(read(bad), Read(State::unnamed, "")) << before << " " << by;
    }
  }
}

}  // namespace
}  // namespace tunnel::net
