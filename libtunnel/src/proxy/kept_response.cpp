// SPDX-License-Identifier: Apache-2.0
#include "proxy/kept_response.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.hpp"
#include "plan/state.hpp"
#include "stream/filter_state.hpp"

namespace tunnel::proxy {
namespace {

void add(boost::json::array& list, std::string_view name, std::string_view value) {
  // Bytes of a peer's need not be text, which JSON is.
  const std::string text = log::escape(value, value.size() * 4);
  list.push_back(boost::json::object{{"key", name}, {"value", text}});
}

void add(boost::json::array& list, const http::Fields& fields) {
  for (const http::Field& field : fields) add(list, field.name, field.value);
}

FilterStatePtr with_list(const FilterStatePtr& state, std::string_view key, boost::json::array list) {
  const boost::json::object object{{"headers", std::move(list)}};
  return with_object(state, std::string(key), {boost::json::serialize(object), StateShare::none, true});
}

}  // namespace

FilterStatePtr with_response(const FilterStatePtr& state, const http::ResponseHead& head) {
  boost::json::array list;
  add(list, ":status", std::to_string(head.status));
  add(list, head.fields);
  return with_list(state, plan::kResponseHeadersKey, std::move(list));
}

FilterStatePtr with_trailers(const FilterStatePtr& state, const http::ClientExchange& tunnel) {
  if (tunnel.trailers().empty()) return state;
  boost::json::array list;
  add(list, tunnel.trailers());
  return with_list(state, plan::kResponseTrailersKey, std::move(list));
}

}  // namespace tunnel::proxy
