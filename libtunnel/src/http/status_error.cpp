// SPDX-License-Identifier: Apache-2.0
#include "http/status_error.hpp"

#include <fmt/format.h>

namespace tunnel::http {
namespace {

// Conditions that pass by themselves: our limits, a drain, descriptors used up.
bool passes_soon(const Error& error) {
  return error.kind == Error::Kind::limit || error.kind == Error::Kind::shutdown || error.kind == Error::Kind::internal;
}

}  // namespace

StatusAnswer status_answer(const Error& error) {
  StatusAnswer answer;
  answer.head.status = http_status(error);
  std::string_view token = proxy_status_token(error);
  // A proxy's refusal is told by its own status; the token by kind would only guess at it.
  if (error.received_status != 0 && error.proxy_status == nullptr) token = {};
  std::string status = "tunnel";
  std::string cause;
  if (!token.empty()) {
    status += fmt::format("; error={}", token);
    cause = token.substr(0, token.find(';'));
  }
  if (error.received_status != 0) {
    status += fmt::format("; received-status={}", error.received_status);
    cause += fmt::format("{}the next proxy answered {}", cause.empty() ? "" : ", ", error.received_status);
  }
  if (status.size() > 6) answer.head.fields.add("proxy-status", status);
  if (answer.head.status == 503 && passes_soon(error)) answer.head.fields.add("retry-after", "1");
  if (answer.head.status == 405) answer.head.fields.add("allow", "CONNECT");
  answer.head.fields.add("content-type", "text/plain");
  answer.text = fmt::format("{} {}", answer.head.status, reason_phrase(answer.head.status));
  if (!cause.empty()) answer.text += fmt::format(" ({})", cause);
  answer.text += '\n';
  return answer;
}

}  // namespace tunnel::http
