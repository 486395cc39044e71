// SPDX-License-Identifier: Apache-2.0
#include "config/entry.hpp"

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "config/address.hpp"
#include "config/value.hpp"
#include "plan/host_port.hpp"

namespace tunnel::config {
namespace {

constexpr std::size_t kLongestSuffix = 64;

// What a line is called by where it listens: its port, or the name of its socket as far as that can be a name.
std::string default_suffix(const plan::Address& address) {
  if (const auto* tcp = std::get_if<plan::Tcp>(&address)) return std::to_string(tcp->port);
  if (std::holds_alternative<plan::Stdio>(address)) return "stdio";
  std::string name;
  if (const auto* socket = std::get_if<plan::Unix>(&address)) {
    name = std::filesystem::path(socket->path).stem().string();
  } else {
    const auto& inherited = std::get<plan::Inherited>(address);
    name = inherited.fd >= 0 ? "fd" + std::to_string(inherited.fd) : inherited.name;
  }
  name.resize(std::min(name.size(), kLongestSuffix));
  const auto odd = [](char c) { return !plan::name_fault(std::string_view(&c, 1)).empty(); };
  std::replace_if(name.begin(), name.end(), odd, '-');
  return name;
}

void refuse_company_of_stdio(const std::vector<Given>& listens) {
  if (listens.size() == 1) return;
  for (const Given& given : listens)
    if (std::holds_alternative<plan::Stdio>(parse_listen(given).address))
      throw given.refusal(
          "standard input and output stand alone on a line; put the other -l on a line of its own, under tun-run");
}

// One more socket of the listener all of them share.
void add_socket(Entry& entry, const Given& given, const Listen& listen) {
  if (entry.listener.addresses.empty()) {
    entry.listener.place = given.place;
    entry.streams = listen.streams;
    entry.streams_given = listen.streams_given;
  } else if (entry.streams != listen.streams) {
    throw given.refusal("the sockets of a line are one listener; give the same streams= with each, or another line");
  }
  entry.listener.addresses.push_back(listen.address);
}

}  // namespace

void Entry::serve(const plan::Handler& handler) {
  listener.handler = handler;
  if (streams == 0) return;
  auto* http = std::get_if<plan::HttpProxy>(&listener.handler);
  if (http == nullptr)
    throw streams_given->refusal(
        "streams are HTTP/2's, and here bytes are relayed as they come; leave it out (a tun-encap with --http has "
        "them)");
  http->streams = streams;
}

std::vector<Entry> read_entries(Program program, const Arguments& arguments, const plan::Listener& shape,
                                bool may_be_open) {
  const std::vector<Given> listens = arguments.all(Opt::listen);
  refuse_company_of_stdio(listens);
  Entry sockets{shape};
  std::vector<Entry> inside;
  std::string default_name;
  for (const Given& given : listens) {
    Listen listen = parse_listen(given);
    if (auto* inherited = std::get_if<plan::Inherited>(&listen.address)) inherited->beyond_loopback = may_be_open;
    if (const auto* internal = std::get_if<plan::Internal>(&listen.address)) {
      Entry entry{shape, listen.streams, listen.streams_given};
      entry.listener.name = internal->listener;
      entry.listener.place = given.place;
      entry.listener.addresses.push_back(listen.address);
      inside.push_back(std::move(entry));
      continue;
    }
    if (sockets.listener.addresses.empty())
      default_name = std::string(name_of(program)) + "-" + default_suffix(listen.address);
    add_socket(sockets, given, listen);
  }
  const bool internal_only = sockets.listener.addresses.empty();
  const Given* name = arguments.find(Opt::name);
  const std::string called = name != nullptr ? parse_name(*name)
                             : internal_only ? inside.front().listener.name
                                             : default_name;
  if (internal_only && called != inside.front().listener.name) {
    const std::string& only = inside.front().listener.name;
    throw name->refusal("a line that listens on internal:" + only + " is called " + only + "; leave out --name");
  }
  sockets.listener.name = called;
  std::vector<Entry> entries;
  if (!internal_only) entries.push_back(std::move(sockets));
  for (Entry& entry : inside) entries.push_back(std::move(entry));
  return entries;
}

}  // namespace tunnel::config
