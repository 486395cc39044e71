// SPDX-License-Identifier: Apache-2.0
#include "envoy/state.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "envoy/data_source.hpp"
#include "plan/connection_format.hpp"
#include "plan/state.hpp"
#include "plan/wording.hpp"

namespace tunnel::envoy {
namespace {

bool is_of(const plan::ConnectionPart& part, std::initializer_list<plan::Operator> operators) {
  return std::find(operators.begin(), operators.end(), part.op) != operators.end();
}

// What a connection may not have, for which Envoy writes "-".
bool may_be_missing(const plan::ConnectionPart& part) {
  return is_of(part, {plan::Operator::metadata, plan::Operator::state});
}

bool may_be_empty(const plan::ConnectionPart& part) {
  return may_be_missing(part) || is_of(part, {plan::Operator::local_port, plan::Operator::direct_port,
                                              plan::Operator::endpoint_id, plan::Operator::direct_id});
}

struct FormatString {
  std::optional<Value> text;
  bool omits_missing = false;
};

FormatString read_format(const Value& value) {
  FormatString format;
  read_message(value, [&](Fields& fields) {
    fields.refuse({"json_format", "content_type", "formatters", "json_format_options"});
    if (const auto omit = fields.find("omit_empty_values")) format.omits_missing = omit->boolean().value_or(false);
    const auto older = fields.find("text_format");
    const auto source = fields.find("text_format_source");
    if (older.has_value() == source.has_value()) return value.refuse("give text_format_source");
    if (older) format.text = older;
    if (source) format.text = read_inline_string(*source);
  });
  return format;
}

class ObjectReader {
 public:
  explicit ObjectReader(Fields& fields) : fields_(fields) {}

  void read(std::vector<plan::State>& states) {
    const std::size_t faults = fields_.value().document().faults();
    fields_.refuse({"read_only"});
    const auto key = fields_.need("object_key");
    if (key) state_.key = key->text().value_or("");
    read_factory();
    if (const auto share = fields_.find("shared_with_upstream"))
      state_.share =
          share
              ->choice<StateShare>(
                  {{"NONE", StateShare::none}, {"ONCE", StateShare::once}, {"TRANSITIVE", StateShare::transitive}})
              .value_or(state_.share);
    const auto skip = fields_.find("skip_if_empty");
    skips_empty_ = skip && skip->boolean().value_or(false);
    if (const auto format = fields_.need("format_string")) read_value(read_format(*format));
    if (fields_.value().document().faults() > faults) return;
    if (const std::string fault = plan::state_fault(state_); !fault.empty()) return key->refuse(fault);
    states.push_back(std::move(state_));
  }

 private:
  // Without one the key says what kind of object it is.
  void read_factory() {
    const auto factory = fields_.find("factory_key");
    const std::string name = factory ? factory->text().value_or("") : state_.key;
    const bool own = state_.key == plan::kOriginalStateKey;
    if (own ? name == plan::kOriginalStateKey : name == kStringFactory || name == kHashableFactory) return;
    const std::string words = own ? "leave it out" : "write envoy.string or envoy.hashable_string";
    (factory ? *factory : fields_.value())
        .refuse("an object of the kind " + plan::in_quotes(name) + " is not supported by this version; " + words);
  }

  // Only what is the same with a missing value as without one: "-" is nothing to go to.
  void read_value(const FormatString& format) {
    if (!format.text) return;
    state_.value = format.text->text().value_or("");
    if (const std::string fault = plan::connection_format_fault(state_.value); !fault.empty())
      return format.text->refuse(fault);
    const plan::ConnectionFormat parts = plan::parse_connection_format(state_.value);
    if (!format.omits_missing && std::any_of(parts.begin(), parts.end(), &may_be_missing))
      return format.text->refuse("for a value that is missing there would be a '-'; write omit_empty_values: true");
    if (!skips_empty_ && std::all_of(parts.begin(), parts.end(), &may_be_empty))
      format.text->refuse("an object that is empty is not supported by this version; write skip_if_empty: true");
  }

  Fields& fields_;
  plan::State state_;
  bool skips_empty_ = false;
};

}  // namespace

std::vector<plan::State> read_set_filter_state(Fields& fields) {
  std::vector<plan::State> states;
  fields.refuse({"on_downstream_tls_handshake", "on_downstream_data"});
  if (const auto objects = fields.find("on_new_connection"))
    read_messages(*objects, [&](Fields& object) { ObjectReader(object).read(states); });
  return states;
}

}  // namespace tunnel::envoy
