// SPDX-License-Identifier: Apache-2.0
#include "base/log_merger.hpp"

#include <gtest/gtest.h>

#include "base/log.hpp"
#include "support/sim_loop.hpp"

namespace tunnel {
namespace {

using log::Level;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Lines go to stderr; started at info level, the log writes them by its own thread until stop().
class LogMerger : public ::testing::Test {
 protected:
  LogMerger() {
    testing::internal::CaptureStderr();
    log::start(log::Level::info, log::Style::text);
  }
  std::string lines() {
    log::stop();
    return testing::internal::GetCapturedStderr();
  }
  static int count(const std::string& text, const std::string& what) {
    int found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  }
  test::SimLoop loop_;
  log::Merger merger_{loop_};
};

TEST_F(LogMerger, AFloodIsOneLineAndACountASecond) {
  for (int i = 0; i < 1000; ++i) merger_.write(Level::info, "entry denied", "entry 127.0.0.1:1: no rule allows it");
  loop_.advance(seconds(1));
  for (int i = 0; i < 3; ++i) merger_.write(Level::info, "entry denied", "entry 127.0.0.1:2: no rule allows it");
  loop_.advance(seconds(1));
  const std::string text = lines();
  EXPECT_EQ(count(text, "no rule allows it"), 2) << text;
  EXPECT_EQ(count(text, "entry denied: 999 more within a second"), 1) << text;
  EXPECT_EQ(count(text, "entry denied: 2 more within a second"), 1) << text;
}

TEST_F(LogMerger, KindsAreCountedApartAndASingleLineHasNoCount) {
  merger_.write(Level::info, "entry denied", "first kind");
  merger_.write(Level::info, "entry timeout", "second kind");
  loop_.advance(milliseconds(2500));
  const std::string text = lines();
  EXPECT_EQ(count(text, "first kind"), 1) << text;
  EXPECT_EQ(count(text, "second kind"), 1) << text;
  EXPECT_EQ(count(text, "more within"), 0) << text;
}

TEST_F(LogMerger, ACountHasTheLevelOfItsLine) {
  for (int i = 0; i < 2; ++i) merger_.write(Level::debug, "entry noise", "not written at info level");
  for (int i = 0; i < 2; ++i) merger_.write(Level::warning, "entry silent", "nothing came back");
  loop_.advance(seconds(1));
  const std::string text = lines();
  EXPECT_EQ(count(text, "noise"), 0) << text;
  EXPECT_EQ(count(text, "not written"), 0) << text;
  EXPECT_EQ(count(text, " warning nothing came back"), 1) << text;
  EXPECT_EQ(count(text, " warning entry silent: 1 more within a second"), 1) << text;
}

TEST_F(LogMerger, TheLastCountIsWrittenWhenTheWorkerEnds) {
  {
    log::Merger ending(loop_);
    for (int i = 0; i < 3; ++i) ending.write(Level::info, "entry denied", "no rule allows it");
  }
  const std::string text = lines();
  EXPECT_EQ(count(text, "entry denied: 2 more within a second"), 1) << text;
}

}  // namespace
}  // namespace tunnel
