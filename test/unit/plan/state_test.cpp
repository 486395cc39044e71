// SPDX-License-Identifier: Apache-2.0
#include "plan/state.hpp"

#include <gtest/gtest.h>

#include <string>

#include "stream/filter_state.hpp"

namespace tunnel::plan {
namespace {

FilterStatePtr some() {
  FilterStatePtr state = with_object(nullptr, "own", {"1", StateShare::none});
  state = with_object(state, "next", {"say \"2\"\n\xff", StateShare::once});
  state = with_object(state, "all", {"3", StateShare::transitive});
  return with_object(state, "list", {R"({"a":[]})", StateShare::transitive, true});
}

TEST(State, TextsAreShownPlainOrAsJson) {
  const FilterStatePtr state = some();
  EXPECT_EQ(state_value(state.get(), "next", true), "say \"2\"\n\xff");
  EXPECT_EQ(state_value(state.get(), "next", false), R"("say \"2\"\\x0a\\xff")");
  EXPECT_EQ(state_value(state.get(), "list", true), "");
  EXPECT_EQ(state_value(state.get(), "list", false), R"({"a":[]})");
  EXPECT_EQ(state_value(state.get(), "none", true), "");
  EXPECT_EQ(state_value(nullptr, "none", false), "");
}

TEST(State, ANewObjectLeavesWhoHasTheOldMapAlone) {
  const FilterStatePtr before = some();
  const FilterStatePtr after = with_object(before, "own", {"4", StateShare::once});
  EXPECT_EQ(before->at("own").value, "1");
  EXPECT_EQ(after->at("own").value, "4");
  EXPECT_EQ(after->size(), before->size());
}

TEST(State, OnceIsForTheNextHopAndTransitiveForAll) {
  const FilterStatePtr first = shared_onward(some());
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->contains("own"));
  EXPECT_EQ(first->at("next").share, StateShare::none);
  EXPECT_EQ(first->at("all").share, StateShare::transitive);
  const FilterStatePtr second = shared_onward(first);
  ASSERT_TRUE(second);
  EXPECT_FALSE(second->contains("next"));
  EXPECT_TRUE(second->contains("all"));
  EXPECT_FALSE(shared_onward(nullptr));
  EXPECT_FALSE(shared_onward(with_object(nullptr, "own", {"1"})));
}

// What pools are kept apart by: no two states that bring different things along may look the same.
TEST(State, KeysTellWhatGoesAlong) {
  const auto key = [](const std::string& name, const std::string& value, StateShare share) {
    return shared_key(with_object(nullptr, name, {value, share}));
  };
  EXPECT_EQ(shared_key(nullptr), "");
  EXPECT_EQ(key("a", "b", StateShare::none), "");
  EXPECT_NE(key("a", "b", StateShare::once), key("a", "b", StateShare::transitive));
  EXPECT_NE(key("a", "bc", StateShare::once), key("ab", "c", StateShare::once));
  EXPECT_NE(key("a", "b", StateShare::once), key("a", "c", StateShare::once));
  EXPECT_EQ(shared_key(some()), shared_key(with_object(some(), "own", {"other"})));
}

TEST(State, OfTwoTheNearerCounts) {
  const FilterStatePtr far = with_object(with_object(nullptr, "a", {"far"}), "b", {"far"});
  const FilterStatePtr both = merged(with_object(nullptr, "a", {"near"}), far);
  EXPECT_EQ(both->at("a").value, "near");
  EXPECT_EQ(both->at("b").value, "far");
  EXPECT_EQ(merged(nullptr, far), far);
  EXPECT_EQ(merged(far, nullptr), far);
}

TEST(State, IsWrittenAsALineHasIt) {
  EXPECT_EQ(to_string(State{"a", "b", StateShare::none}), "none:a=b");
  EXPECT_EQ(to_string(State{"a", "b", StateShare::once}), "once:a=b");
  EXPECT_EQ(to_string(State{"a", "b", StateShare::transitive}), "a=b");
}

TEST(State, WhatOperatorsAskFor) {
  StateName name;
  EXPECT_EQ(read_state_name({"", "FILTER_STATE", "a.b"}, name), "");
  EXPECT_EQ(name.key, "a.b");
  EXPECT_FALSE(name.plain);
  EXPECT_EQ(read_state_name({"", "FILTER_STATE", "a.b:PLAIN"}, name), "");
  EXPECT_TRUE(name.plain);
  EXPECT_EQ(read_state_name({"", "FILTER_STATE", "a.b:TYPED"}, name), "");
  EXPECT_FALSE(name.plain);
  EXPECT_EQ(read_state_name({"", "FILTER_STATE", ""}, name),
            "'%FILTER_STATE%' names no object; write %FILTER_STATE(KEY:PLAIN)%");
  EXPECT_EQ(read_state_name({"", "FILTER_STATE", "a:FIELD:x"}, name),
            "'%FILTER_STATE(a:FIELD:x)%': 'FIELD:x' is not supported by this version; there is PLAIN and TYPED");
}

}  // namespace
}  // namespace tunnel::plan
