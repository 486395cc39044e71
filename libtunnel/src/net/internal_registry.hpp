// SPDX-License-Identifier: Apache-2.0
// The internal listeners of one worker, by name. Connecting to one asks its handler to open it, and the answer is the
// far side's outcome: a stream, or why there is none (Envoy answers at once and shows its user a blank 503,
// envoyproxy/envoy#43977). It knows no handler's kind and no socket; it is passed in, never global. Modelled on Envoy's
// bootstrap internal_listener.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/context.hpp"
#include "stream/connect_request.hpp"
#include "tunnel/plan.hpp"
#include "tunnel/stream.hpp"
#include "tunnel/task.hpp"

namespace tunnel::net {

// Who serves an internal listener. Must outlive every open() it is asked for.
class InternalListener {
 public:
  struct Opened {
    StreamPtr stream;
    std::string upstream;    // what stands behind it, for messages: "127.0.0.1:80"; empty if it parses
    FilterStatePtr state{};  // its filter state by now, for whoever wants it back
  };
  // On the caller's worker. `request.info` is the caller's with this hop added.
  virtual Task<Result<Opened>> open(ConnectRequest& request) = 0;

 protected:
  ~InternalListener() = default;
};

// What a connect brings along.
struct BroughtAlong {
  std::shared_ptr<const DynamicMetadata> metadata{};
  bool state = false;  // what of the connection's filter state is shared
};

class InternalRegistry {
 public:
  explicit InternalRegistry(const Context& context) : context_(context) {}
  InternalRegistry(const InternalRegistry&) = delete;
  InternalRegistry& operator=(const InternalRegistry&) = delete;
  ~InternalRegistry();

  // False if the name is taken.
  bool add(const std::string& name, InternalListener& listener);
  // Connects that wait for their answer fail; streams already open live on.
  void remove(std::string_view name);
  bool contains(std::string_view name) const { return entries_.find(name) != entries_.end(); }

  // The listener gets what `request` knows of the connection, but for what belongs to one hop: the id, the metadata,
  // the state and the address before a redirect are those of this connect. Errors: unknown_destination; loop, when the
  // request has made its last internal connect (limits.internal_hops).
  Task<Result<InternalListener::Opened>> connect(const plan::Internal& address, ConnectRequest& request,
                                                 BroughtAlong along = {});

 private:
  struct Entry;
  struct Pending;
  const Context context_;
  std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_;
};

}  // namespace tunnel::net
