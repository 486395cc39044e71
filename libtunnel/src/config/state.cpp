// SPDX-License-Identifier: Apache-2.0
#include "config/state.hpp"

#include <string>
#include <string_view>

#include "plan/state.hpp"
#include "plan/wording.hpp"

namespace tunnel::config {

plan::State parse_state(const Given& given) {
  const std::size_t equals = given.value.find('=');
  if (equals == std::string::npos) throw given.refusal("the value is missing; write KEY=VALUE");
  plan::State state{given.value.substr(0, equals), given.value.substr(equals + 1), StateShare::transitive};
  if (const std::size_t colon = state.key.find(':'); colon != std::string::npos) {
    const std::string word = state.key.substr(0, colon);
    if (word != "once" && word != "none")
      throw given.refusal(plan::in_quotes(word) +
                          " is no way to share it; write KEY=VALUE for every internal hop, "
                          "once:KEY=VALUE for the next one, none:KEY=VALUE for none");
    state.share = word == "once" ? StateShare::once : StateShare::none;
    state.key.erase(0, colon + 1);
  }
  if (const std::string fault = plan::state_fault(state); !fault.empty()) throw given.refusal(fault);
  return state;
}

}  // namespace tunnel::config
