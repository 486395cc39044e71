// SPDX-License-Identifier: Apache-2.0
// A request to the admin server and its answer, as values: what decides and answers knows no socket and no HTTP
// library.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tunnel/address.hpp"

namespace tunnel::runtime {

struct AdminRequest {
  std::string method;
  std::string path;   // without the query
  std::string query;  // what follows the question mark
  std::optional<std::string> host;
  std::optional<std::string> origin;
  std::optional<std::string> fetch_site;  // Sec-Fetch-Site, which browsers send
  std::optional<SocketAddress> reached;   // our address of the connection; none: a unix socket
};

struct AdminResponse {
  unsigned status = 200;
  std::string_view type = "text/plain; charset=utf-8";  // of static storage
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;
  std::function<void()> then;  // once the answer was written, or could not be
};

// Called once, on the admin thread, at once or later.
using AdminReply = std::function<void(AdminResponse)>;

// A line of text.
inline AdminResponse admin_text(unsigned status, std::string line) {
  AdminResponse response;
  response.status = status;
  response.body = std::move(line) + "\n";
  return response;
}

}  // namespace tunnel::runtime
