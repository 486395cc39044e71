// SPDX-License-Identifier: Apache-2.0
#include "runtime/exit_status.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tunnel::runtime {
namespace {

using Kind = Error::Kind;
using Side = Error::Side;

int status_of(const Error& error, bool established = false) { return exit_status({error, established}); }

TEST(ExitStatus, OfWhatFailedBeforeAnythingCameThrough) {
  const std::vector<std::pair<Kind, int>> rows = {
      {Kind::none, 0},         {Kind::reset, 69},     {Kind::closed, 69},
      {Kind::refused, 69},     {Kind::timeout, 69},   {Kind::dns, 69},
      {Kind::denied, 77},      {Kind::protocol, 76},  {Kind::limit, 75},
      {Kind::loop, 69},        {Kind::shutdown, 0},   {Kind::internal, 75},
      {Kind::unreachable, 69}, {Kind::cancelled, 69}, {Kind::unknown_destination, 69},
  };
  for (const auto& [kind, status] : rows) EXPECT_EQ(status_of(Error(kind)), status) << to_string(kind);
  EXPECT_EQ(status_of(Error(Kind::closed).on(Side::downstream)), 1) << "our own caller left";
  EXPECT_EQ(status_of(Error(Kind::protocol).on(Side::downstream)), 76);
}

TEST(ExitStatus, OfAnEstablishedConnection) {
  for (const Kind kind : {Kind::reset, Kind::closed, Kind::timeout, Kind::internal, Kind::limit})
    EXPECT_EQ(status_of(Error(kind), true), 1) << to_string(kind);
  EXPECT_EQ(status_of(Error(Kind::protocol), true), 76);
  EXPECT_EQ(status_of(Error(Kind::none), true), 0);
  EXPECT_EQ(status_of(Error(Kind::shutdown), true), 0) << "we were told to";
}

TEST(ExitStatus, OfAProxysAnswer) {
  const std::vector<std::pair<std::uint16_t, int>> rows = {
      {301, 76}, {400, 76}, {401, 77}, {403, 77}, {404, 69}, {405, 76}, {407, 77}, {408, 75}, {410, 69}, {411, 76},
      {421, 69}, {425, 75}, {429, 75}, {451, 77}, {500, 69}, {501, 76}, {502, 69}, {503, 69}, {504, 69}, {505, 76},
  };
  for (const auto& [answer, status] : rows) {
    Error error(Kind::refused);
    error.received_status = answer;
    EXPECT_EQ(status_of(error), status) << answer;
  }
  Error busy(Kind::refused);
  busy.received_status = 503;
  busy.temporary = true;
  EXPECT_EQ(status_of(busy), 75) << "503 with Retry-After";
}

}  // namespace
}  // namespace tunnel::runtime
