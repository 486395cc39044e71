// SPDX-License-Identifier: Apache-2.0
// ClientHello: what a TLS client says first (RFC 8446 section 4.1.2), read by OpenSSL as far as the name of the server
// it asks for. No handshake: nothing is answered, no key is needed, nothing is decrypted.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct ssl_st;

namespace tunnel::net {

class ClientHello {
 public:
  // unnamed: it is TLS, but names no server (RFC 6066 section 3), or one that is no host name.
  enum class State : std::uint8_t { incomplete, named, unnamed, not_tls };

  ClientHello() = default;
  ClientHello(const ClientHello&) = delete;
  ClientHello& operator=(const ClientHello&) = delete;

  // The next bytes of the connection, however it is cut; what stands behind the hello is left alone. Once the state is
  // not `incomplete` it stays.
  State take(std::string_view bytes);
  State state() const { return state_; }
  // In lower case; empty unless `named`.
  const std::string& server_name() const { return name_; }

 private:
  struct Free {
    void operator()(ssl_st* ssl) const noexcept;
  };
  static int hello_is_whole(ssl_st* ssl, int* alert, void* unused);
  static ssl_st* make_ssl(ClientHello& owner);

  std::unique_ptr<ssl_st, Free> ssl_;  // once there is a byte that may be TLS
  State state_ = State::incomplete;
  std::string name_;
};

}  // namespace tunnel::net
