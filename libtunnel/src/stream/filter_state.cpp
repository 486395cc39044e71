// SPDX-License-Identifier: Apache-2.0
#include "stream/filter_state.hpp"

#include <algorithm>
#include <utility>

namespace tunnel {
namespace {

bool is_shared(const FilterState::value_type& entry) { return entry.second.share != StateShare::none; }

// With its length before it nothing in it can be taken for what follows.
void add_to_key(std::string& key, const std::string& text) { key += std::to_string(text.size()) + ":" + text; }

}  // namespace

FilterStatePtr with_object(const FilterStatePtr& state, const std::string& key, StateObject object) {
  auto grown = state ? std::make_shared<FilterState>(*state) : std::make_shared<FilterState>();
  grown->insert_or_assign(key, std::move(object));
  return grown;
}

FilterStatePtr merged(const FilterStatePtr& near, const FilterStatePtr& far) {
  if (!near || !far) return near ? near : far;
  auto both = std::make_shared<FilterState>(*near);
  both->insert(far->begin(), far->end());
  return both;
}

FilterStatePtr shared_onward(const FilterStatePtr& state) {
  if (!state || std::none_of(state->begin(), state->end(), &is_shared)) return nullptr;
  auto onward = std::make_shared<FilterState>();
  for (const auto& entry : *state) {
    if (!is_shared(entry)) continue;
    StateObject& object = onward->insert(entry).first->second;
    if (object.share == StateShare::once) object.share = StateShare::none;
  }
  return onward;
}

std::string shared_key(const FilterStatePtr& state) {
  std::string key;
  if (!state) return key;
  for (const auto& entry : *state) {
    if (!is_shared(entry)) continue;
    add_to_key(key, entry.first);
    add_to_key(key, entry.second.value);
    key += entry.second.share == StateShare::once ? 'o' : 't';
  }
  return key;
}

}  // namespace tunnel
