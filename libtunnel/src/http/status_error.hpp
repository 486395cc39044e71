// SPDX-License-Identifier: Apache-2.0
// An Error as the answer an HTTP client reads: status, Proxy-Status (RFC 9209), Retry-After, one line of text. Says
// what went wrong, never where: neither addresses nor Error::detail (RFC 9209 section 4).
#pragma once
#include <string>

#include "http/message.hpp"
#include "tunnel/error.hpp"

namespace tunnel::http {

struct StatusAnswer {
  ResponseHead head;
  std::string text;  // the body, text/plain
};

StatusAnswer status_answer(const Error& error);

}  // namespace tunnel::http
