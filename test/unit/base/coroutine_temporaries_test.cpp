// SPDX-License-Identifier: Apache-2.0
// What g++ 12 destroys twice: temporaries inside a co_await expression that are capturing lambdas, braced aggregates,
// or made by ?:. Every object knows whether it was constructed where it dies, so a compiler that gets it wrong is found
// here. These patterns are why the library names such operands first. g++ 12 only compiles this file; run, most cases
// fail.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "support/sim_loop.hpp"
#include "tunnel/loop.hpp"
#include "tunnel/task.hpp"

namespace tunnel {
namespace {

// Alive objects, and objects destroyed that were not alive.
struct Census {
  int alive = 0;
  int wrongly_destroyed = 0;
};

class Counted {
 public:
  explicit Counted(Census& census) : census_(&census), self_(this) { ++census_->alive; }
  Counted(const Counted& other) : census_(other.census_), self_(this) { ++census_->alive; }
  Counted(Counted&& other) noexcept : census_(other.census_), self_(this) { ++census_->alive; }
  Counted& operator=(const Counted&) = delete;
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (self_ != this)
      ++census_->wrongly_destroyed;
    else
      --census_->alive;
    self_ = nullptr;
  }

 private:
  Census* census_;
  Counted* self_;  // another address: somebody copied the bytes
};

struct Aggregate {
  Counted counted;
  std::string text;
};

class WithConstructor {
 public:
  explicit WithConstructor(Counted counted) : counted_(std::move(counted)) {}
  const Counted& counted() const { return counted_; }

 private:
  Counted counted_;
};

// An awaiter made from a callable, suspending once, as asio's async_initiate makes them.
template <class Callable>
class Posted {
 public:
  Posted(Loop& loop, Callable callable) : loop_(loop), callable_(std::move(callable)), slot_() {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) {
    slot_.handle = caller;
    loop_.post(slot_);
  }
  int await_resume() { return callable_(); }

 private:
  Loop& loop_;
  Callable callable_;
  Slot slot_;
};

Task<int> by_function(Loop& loop, std::function<int()> function) {
  co_await yield(loop);
  co_return function();
}
template <class Callable>
Task<int> by_template(Loop& loop, Callable callable) {
  co_await yield(loop);
  co_return callable();
}
template <class Callable>
Posted<Callable> by_awaiter(Loop& loop, Callable callable) {
  return Posted<Callable>(loop, std::move(callable));
}
Task<int> by_aggregate(Loop& loop, Aggregate aggregate) {
  co_await yield(loop);
  co_return static_cast<int>(aggregate.text.size());
}
Task<int> by_class(Loop& loop, WithConstructor /*object*/) {
  co_await yield(loop);
  co_return 7;
}

using Pattern = Task<int> (*)(Loop&, Census&);

Task<int> lambda_into_a_function(Loop& loop, Census& census) {
  const Counted counted(census);
  co_return co_await by_function(loop, [counted] { return sizeof counted != 0 ? 7 : 0; });
}
Task<int> lambda_into_a_template(Loop& loop, Census& census) {
  const Counted counted(census);
  co_return co_await by_template(loop, [counted] { return sizeof counted != 0 ? 7 : 0; });
}
Task<int> lambda_into_an_awaiter(Loop& loop, Census& census) {
  const Counted counted(census);
  co_return co_await by_awaiter(loop, [counted] { return sizeof counted != 0 ? 7 : 0; });
}
Task<int> braced_aggregate(Loop& loop, Census& census) {
  co_return co_await by_aggregate(loop, {Counted(census), "seven !"});
}
Task<int> named_aggregate(Loop& loop, Census& census) {
  co_return co_await by_aggregate(loop, Aggregate{Counted(census), "seven !"});
}
Task<int> conditional(Loop& loop, Census& census) {
  co_return co_await (census.alive == 0 ? by_class(loop, WithConstructor(Counted(census)))
                                        : by_aggregate(loop, Aggregate{Counted(census), ""}));
}
Task<int> object_with_a_constructor(Loop& loop, Census& census) {
  co_return co_await by_class(loop, WithConstructor(Counted(census)));
}
Task<int> named_first(Loop& loop, Census& census) {
  Aggregate aggregate{Counted(census), "seven !"};
  Task<int> asking = by_aggregate(loop, std::move(aggregate));
  co_return co_await asking;
}

struct Case {
  const char* name;
  Pattern pattern;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class CoroutineTemporaries : public testing::TestWithParam<Case> {};

TEST_P(CoroutineTemporaries, AreDestroyedOnce) {
  Census census;
  {
    test::SimWorld world;
    EXPECT_EQ(world.await(GetParam().pattern(world.loop, census)), 7);
  }
  EXPECT_EQ(census.alive, 0);
  EXPECT_EQ(census.wrongly_destroyed, 0);
}

const Case kCases[] = {
    {"LambdaIntoAFunction", lambda_into_a_function},
    {"LambdaIntoATemplate", lambda_into_a_template},
    {"LambdaIntoAnAwaiter", lambda_into_an_awaiter},
    {"BracedAggregate", braced_aggregate},
    {"NamedAggregate", named_aggregate},
    {"Conditional", conditional},
    {"ObjectWithAConstructor", object_with_a_constructor},
    {"NamedFirst", named_first},
};

INSTANTIATE_TEST_SUITE_P(Patterns, CoroutineTemporaries, testing::ValuesIn(kCases),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace tunnel
