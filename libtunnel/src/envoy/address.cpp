// SPDX-License-Identifier: Apache-2.0
#include "envoy/address.hpp"

#include <string>

#include "plan/host_port.hpp"

namespace tunnel::envoy {
namespace {

constexpr std::uint64_t kMostPort = 65535;
constexpr std::uint64_t kMostMode = 0777;

std::optional<plan::Tcp> read_socket(const Value& value, bool listens) {
  std::optional<plan::Tcp> tcp;
  read_message(value, [&](Fields& fields) {
    fields.refuse({"resolver_name", "network_namespace_filepath", "named_port"});
    bool is_tcp = true;
    if (const auto protocol = fields.find("protocol"))
      is_tcp = protocol->choice<bool>({{"TCP", true}}, {"UDP"}).has_value();
    const auto address = fields.need("address");
    const auto host = address ? address->text() : std::nullopt;
    const auto port = fields.need("port_value");
    const auto number = port ? port->number(listens ? 0 : 1, kMostPort) : std::nullopt;
    bool both = false;
    if (const auto compatible = fields.find("ipv4_compat")) both = compatible->boolean().value_or(false);
    if (!is_tcp || !host || !number) return;
    if (const std::string fault = plan::host_fault(*host); !fault.empty()) return address->refuse(fault);
    const bool literal = plan::is_ipv4(*host) || plan::is_ipv6(*host);
    if (listens && !literal) return address->refuse("an address to listen on is written in numbers");
    if (both && (!listens || *host != "::"))
      return address->refuse("with ipv4_compat only :: can be listened on, which is then every interface");
    tcp = plan::Tcp{both ? "*" : *host, static_cast<std::uint16_t>(*number)};
  });
  return tcp;
}

std::optional<plan::Unix> read_pipe(const Value& value, bool listens) {
  std::optional<plan::Unix> socket;
  read_message(value, [&](Fields& fields) {
    plan::Unix read;
    if (const auto mode = fields.find("mode")) {
      if (!listens) return mode->refuse("the socket is somebody else's; leave out its mode");
      read.mode = static_cast<unsigned>(mode->number(0, kMostMode).value_or(read.mode));
    }
    const auto path = fields.need("path");
    const auto text = path ? path->text() : std::nullopt;
    if (!text) return;
    if (const std::string fault = plan::unix_path_fault(*text); !fault.empty()) return path->refuse(fault);
    read.path = *text;
    socket = std::move(read);
  });
  return socket;
}

std::optional<plan::Internal> read_internal(const Value& value) {
  std::optional<plan::Internal> internal;
  read_message(value, [&](Fields& fields) {
    const auto name = fields.need("server_listener_name");
    const auto listener = name ? name->text() : std::nullopt;
    std::string id;
    if (const auto endpoint = fields.find("endpoint_id")) {
      id = endpoint->text().value_or("");
      std::string fault = plan::endpoint_id_fault(id);
      if (id.starts_with('@')) fault = "an id that begins with '@' would be taken from the connection";
      if (!fault.empty()) endpoint->refuse(fault);
    }
    if (listener) internal = plan::Internal{*listener, std::move(id)};
  });
  return internal;
}

std::optional<plan::Address> read_address(const Value& value, bool listens) {
  std::optional<plan::Address> address;
  int given = 0;
  read_message(value, [&](Fields& fields) {
    if (const auto socket = fields.find("socket_address")) {
      address = read_socket(*socket, listens);
      ++given;
    }
    if (const auto pipe = fields.find("pipe")) {
      address = read_pipe(*pipe, listens);
      ++given;
    }
    if (const auto internal = fields.find("envoy_internal_address")) {
      ++given;
      if (listens)
        internal->refuse("an internal listener has no address; write internal_listener: {} instead");
      else
        address = read_internal(*internal);
    }
    if (given != 1) value.refuse("give one of socket_address, pipe and envoy_internal_address");
  });
  return given == 1 ? address : std::nullopt;
}

}  // namespace

std::optional<plan::Address> read_listen_address(const Value& value) { return read_address(value, true); }

std::optional<plan::Address> read_endpoint_address(const Value& value) { return read_address(value, false); }

}  // namespace tunnel::envoy
