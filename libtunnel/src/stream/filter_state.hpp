// SPDX-License-Identifier: Apache-2.0
// How filter state (tunnel/filter_state.hpp) grows and travels. Pure functions, safe from any thread.
#pragma once
#include <string>

#include "tunnel/filter_state.hpp"

namespace tunnel {

// `state` with one more object, or another one under its key.
FilterStatePtr with_object(const FilterStatePtr& state, const std::string& key, StateObject object);

// `near`, and of `far` what `near` has no object for.
FilterStatePtr merged(const FilterStatePtr& near, const FilterStatePtr& far);

// What goes along with a connect to an internal listener, as that listener has it.
FilterStatePtr shared_onward(const FilterStatePtr& state);

// The same as a text that is equal for equal objects only; empty if nothing goes along.
std::string shared_key(const FilterStatePtr& state);

}  // namespace tunnel
