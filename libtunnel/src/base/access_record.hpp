// SPDX-License-Identifier: Apache-2.0
// What the access log says of one connection, tunnel or request, and who takes it. The proxy layer fills records; the
// runtime writes them. Texts that come from peers are raw here; the writer escapes them.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tunnel/address.hpp"
#include "tunnel/connection_info.hpp"
#include "tunnel/error.hpp"

namespace tunnel {

// What Error::text() of a connection is that was too old.
inline constexpr std::string_view kLifetimeOver = "still open a drain time after --max-lifetime";

// The fields of a request, of its answer and behind the answer's body that the listener's log takes, by their names in
// lower case.
struct LoggedFields {
  using List = std::vector<std::pair<std::string, std::string>>;
  List request;
  List response;
  List trailers;
};

struct AccessRecord {
  enum class Kind : std::uint8_t { connection, request, tunnel };
  // Who answered a request: the next hop (a tunnel's, by standing), a route that answers by itself, or we, because no
  // route takes it or it asks for an upgrade. None: nobody did, or `error` says why we did.
  enum class Answer : std::uint8_t { none, upstream, route, no_route, no_upgrade };
  Kind kind = Kind::connection;
  Answer answer = Answer::none;
  bool refused = false;       // by a limit of the listener or the process
  std::string_view listener;  // these three: of somebody who outlives the record
  std::string_view protocol;  // "TCP", "HTTP/1.1", "HTTP/2"
  std::string_view cluster;
  std::chrono::system_clock::time_point start;
  std::chrono::steady_clock::time_point begin;  // of `duration`
  std::chrono::microseconds duration{};
  std::string downstream_remote;  // who entered this process, also behind hops: "127.0.0.1:4711"
  std::string downstream_local;   // "127.0.0.1:10000", "internal:encap" for a hop
  std::string server_name;        // that its TLS ClientHello asks for, where somebody looks
  std::string upstream;           // address connected to; empty if none
  SocketAddress upstream_local;   // our end of that, if a log has it and it is an IP socket's
  unsigned attempts = 0;          // to connect, or to pass a request on
  std::string method;             // of a request
  std::string authority;          // asked for
  std::string path;
  std::uint16_t status = 0;          // answered to the request; 0 for a connection
  std::uint64_t bytes_received = 0;  // from downstream, bodies and tunnel bytes
  std::uint64_t bytes_sent = 0;
  FilterStatePtr state;                               // of the connection
  FilterStatePtr far_state;                           // of the internal listener connected to, where it is passed back
  Error error;                                        // kind none: it ended in order
  std::shared_ptr<LoggedFields> fields{};             // null: the log takes none
  std::shared_ptr<const DynamicMetadata> metadata{};  // ConnectionInfo::metadata

  // Before anybody answered it: what it is told then is no answer.
  bool client_had_gone() const {
    return answer == Answer::none && error.side == Error::Side::downstream && is_ordinary_end(error);
  }
};

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Takes a record at once and never waits; on the worker that made it.
  virtual void write(const AccessRecord& record) noexcept = 0;
};

}  // namespace tunnel
