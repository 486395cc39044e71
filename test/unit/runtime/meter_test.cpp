// SPDX-License-Identifier: Apache-2.0
#include "runtime/meter.hpp"

#include <gtest/gtest.h>

namespace tunnel::runtime {
namespace {

using std::chrono::milliseconds;

TEST(Meter, BytesForPeople) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1023.99), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(1048575), "1.0 MiB");
  EXPECT_EQ(human_bytes(5.0 * 1024 * 1024 * 1024), "5.0 GiB");
  EXPECT_EQ(human_bytes(3e18), "2664.5 PiB");
}

TEST(Meter, TheLineHasTheRateOfTheLastInterval) {
  const MeterReading before{milliseconds(3'661'000), 1024, 1048576, 5, 2, 0};
  const MeterReading now{milliseconds(3'663'000), 3072, 3145728, 7, 3, 0};
  EXPECT_EQ(meter_line(now, before), "1:01:03  up 3.0 KiB  down 3.0 MiB  1.0 MiB/s  3 open  7 in all");
}

TEST(Meter, TheSummaryHasTheRateOfAll) {
  EXPECT_EQ(meter_summary({milliseconds(2000), 1024, 2048, 1, 0, 1}),
            "1 connection in 0:00:02, 1 failed: 1.0 KiB up, 2.0 KiB down, 1.5 KiB/s");
  EXPECT_EQ(meter_summary({}), "0 connections in 0:00:00, 0 failed: 0 B up, 0 B down, 0 B/s");
}

}  // namespace
}  // namespace tunnel::runtime
