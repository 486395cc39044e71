// SPDX-License-Identifier: Apache-2.0
// Any bytes as the beginning of a TLS connection, taken whole, in records' pieces and byte by byte: the verdict is the
// same and final, and a name can stand in a request.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fuzz/check.hpp"
#include "net/client_hello.hpp"
#include "plan/host_port.hpp"

namespace tunnel {
namespace {

using fuzz::require;
using State = net::ClientHello::State;

struct Read {
  State state = State::incomplete;
  std::string name{};
  bool operator==(const Read&) const = default;
};

// `step` bytes at a time, but the first alone.
Read read(std::string_view bytes, std::size_t step) {
  net::ClientHello hello;
  hello.take(bytes.substr(0, 1));
  for (std::size_t at = 1; at < bytes.size(); at += step) hello.take(bytes.substr(at, step));
  return {hello.state(), hello.server_name()};
}

void judge(std::string_view bytes) {
  net::ClientHello hello;
  hello.take(bytes);
  const Read whole{hello.state(), hello.server_name()};
  require(whole == read(bytes, 1), "a hello says the same however it is cut");
  require(whole == read(bytes, 100), "a hello says the same however it is cut");
  require((whole.state == State::named) == !whole.name.empty(), "who is named has a name");
  if (whole.state != State::incomplete) {
    hello.take("\x16\x03\x01");
    require(whole == Read{hello.state(), hello.server_name()}, "a verdict is final");
  }
  if (whole.name.empty()) return;
  require(plan::target_fault(whole.name + ":443").empty(), "a name and a port are a target");
  for (const char c : whole.name) require(c < 'A' || c > 'Z', "a name is in lower case");
}

}  // namespace
}  // namespace tunnel

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const tunnel::fuzz::MemoryWatch watch;
  const tunnel::fuzz::MemoryWatch::Guard guard(std::size_t{8} << 20);
  if (size > 0) tunnel::judge({reinterpret_cast<const char*>(data), size});
  return 0;
}
