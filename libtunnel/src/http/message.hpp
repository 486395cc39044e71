// SPDX-License-Identifier: Apache-2.0
// Heads of HTTP messages, the same over HTTP/1.1 and HTTP/2. Values, without framing: the length of a body is in Body,
// the authority in RequestHead::authority, and the codec of each version writes its own form of both.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tunnel::http {

struct Field {
  std::string name;  // lower case
  std::string value;
  bool operator==(const Field&) const = default;
};

// Header or trailer fields in their order. Names are lower case; look-ups take lower case.
class Fields {
 public:
  void add(std::string_view name, std::string_view value) {
    fields_.push_back(Field{std::string(name), std::string(value)});
  }
  void set(std::string_view name, std::string_view value);  // replaces every field of that name
  void remove(std::string_view name);
  const std::string* find(std::string_view name) const;  // the first of that name, or nullptr
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  // True if a comma-separated list field has `token` (case-insensitive), as in `Connection: close`.
  bool has_token(std::string_view name, std::string_view token) const;
  bool empty() const { return fields_.empty(); }
  std::size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  auto begin() { return fields_.begin(); }
  auto end() { return fields_.end(); }
  template <class Predicate>
  void remove_if(Predicate predicate) {
    std::erase_if(fields_, predicate);
  }
  bool operator==(const Fields&) const = default;

 private:
  std::vector<Field> fields_;
};

// `host` is never among the fields: a codec checks it and puts it into `authority`. `content-length` and
// `transfer-encoding` are neither, see Body; but a response without a body (HEAD, 304) may carry an informative
// content-length field.
struct RequestHead {
  std::string method;
  std::string scheme;     // "http" or "https"; empty for CONNECT
  std::string authority;  // as received; for CONNECT checked by parse_authority()
  std::string path;       // with query; "*" for OPTIONS *; empty for CONNECT
  std::string protocol;   // :protocol of an extended CONNECT (RFC 8441); refused by every server of ours
  Fields fields;
  bool is_connect() const { return method == "CONNECT"; }
  bool operator==(const RequestHead&) const = default;
};

struct ResponseHead {
  std::uint16_t status = 200;
  Fields fields;
  bool operator==(const ResponseHead&) const = default;
};

// How many bytes follow a head. `tunnel`: bytes both ways until each side ends, as after a 2xx to CONNECT.
struct Body {
  enum class Kind : std::uint8_t { none, length, unknown, tunnel };
  Kind kind = Kind::none;
  std::uint64_t length = 0;  // for Kind::length
  static Body none() { return {}; }
  static Body of(std::uint64_t bytes) { return {bytes == 0 ? Kind::none : Kind::length, bytes}; }
  static Body unknown() { return {Kind::unknown, 0}; }
  static Body tunnel() { return {Kind::tunnel, 0}; }
  bool operator==(const Body&) const = default;
};

std::string_view reason_phrase(std::uint16_t status);
// Asking twice is like asking once (RFC 9110 section 9.2.2), and a proxy may.
bool is_idempotent(std::string_view method);

// Removes the fields that concern one connection only: Connection and what it names, Keep-Alive, Proxy-Connection, TE
// (except "trailers"), Transfer-Encoding, Upgrade, Proxy-Authenticate, Proxy-Authorization (RFC 9110 section 7.6.1).
void remove_hop_by_hop(Fields& fields);

}  // namespace tunnel::http
