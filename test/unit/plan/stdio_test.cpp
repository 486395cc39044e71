// SPDX-License-Identifier: Apache-2.0
#include "plan/stdio.hpp"

#include <gtest/gtest.h>

#include <string>

#include "plan/wording.hpp"

namespace tunnel::plan {
namespace {

Listener listener(const std::string& name, Address address, int line) {
  Listener made;
  made.name = name;
  made.place = {"t.tun", line, 1};
  made.addresses.push_back(std::move(address));
  made.handler = Echo{};
  return made;
}

Plan plan_of(std::vector<Listener> listeners) {
  Plan plan;
  plan.listeners = std::move(listeners);
  return plan;
}

std::string problems_of(const Plan& plan) {
  std::string text;
  for (const Problem& problem : check(plan)) text += to_string(problem.place) + ": " + problem.text + "\n";
  return text;
}

TEST(StdioPlan, FindsItsListener) {
  const Plan with = plan_of({listener("a", Tcp{"", 1}, 1), listener("b", Stdio{}, 2)});
  ASSERT_NE(stdio_listener(with), nullptr);
  EXPECT_EQ(stdio_listener(with)->name, "b");
  EXPECT_EQ(problems_of(with), "");
  EXPECT_EQ(stdio_listener(plan_of({listener("a", Tcp{"", 1}, 1)})), nullptr);
}

TEST(StdioPlan, IsOneConnectionOfTheProcess) {
  EXPECT_EQ(problems_of(plan_of({listener("a", Stdio{}, 1), listener("b", Stdio{}, 2)})),
            "t.tun:2:1: standard input and output are one connection, and a has it (the first at t.tun:1:1); listen "
            "elsewhere\n");
  Plan two = plan_of({listener("a", Stdio{}, 1)});
  two.listeners[0].addresses.push_back(Tcp{"", 1});
  EXPECT_EQ(problems_of(two), "t.tun:1:1: listener a: standard input and output stand alone in their listener\n");
}

TEST(StdioPlan, LeavesStandardOutputToTheConnection) {
  Plan plan = plan_of({listener("a", Stdio{}, 1), listener("b", Tcp{"", 1}, 2), listener("c", Internal{"c", ""}, 2)});
  for (Listener& one : plan.listeners) one.access_log = "-";
  const std::string text =
      ": the access log cannot go to standard output, which is a connection's (-l -); name a file\n";
  EXPECT_EQ(problems_of(plan), "t.tun:1:1: listener a" + text + "t.tun:2:1: listener b" + text);
  for (Listener& one : plan.listeners) one.access_log = "file";
  EXPECT_EQ(problems_of(plan), "");
}

TEST(StdioPlan, MoreWorkersNeedSomethingElseToDo) {
  Plan plan = plan_of({listener("a", Stdio{}, 1), listener("c", Internal{"c", ""}, 2)});
  plan.process.workers = 1;
  EXPECT_EQ(problems_of(plan), "");
  plan.process.workers = 2;
  EXPECT_EQ(problems_of(plan), ": one connection keeps one worker busy; leave out --workers\n");
  plan.listeners.push_back(listener("b", Tcp{"", 1}, 3));
  EXPECT_EQ(problems_of(plan), "");
}

}  // namespace
}  // namespace tunnel::plan
