// SPDX-License-Identifier: Apache-2.0
#include "net/client_hello.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstddef>
#include <new>

#include "base/letter_case.hpp"
#include "plan/host_port.hpp"

namespace tunnel::net {
namespace {

constexpr char kHandshake = 0x16;  // the type of the record a hello comes in; the name has no place in SSL 2's

struct FreeContext {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeContext>;

std::size_t number_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at])) << 8U |
         static_cast<unsigned char>(bytes[at + 1]);
}

// Of the extension server_name: a list of one name (RFC 6066 section 3), which is what OpenSSL takes, too. "": another.
std::string_view name_in(std::string_view extension) {
  constexpr std::size_t kBefore = 5;  // the length of the list, the type of the name, its length
  if (extension.size() < kBefore || number_at(extension, 0) != extension.size() - 2) return "";
  if (extension[2] != TLSEXT_NAMETYPE_host_name || number_at(extension, 3) != extension.size() - kBefore) return "";
  return extension.substr(kBefore);
}

// A hello is the word of a stranger, and the name becomes a part of a request.
bool is_host_name(std::string_view name) {
  return name.find(':') == std::string_view::npos && plan::host_fault(name).empty();
}

}  // namespace

void ClientHello::Free::operator()(ssl_st* ssl) const noexcept { SSL_free(ssl); }

int ClientHello::hello_is_whole(ssl_st* ssl, int* /*alert*/, void* /*unused*/) {
  ClientHello& self = *static_cast<ClientHello*>(SSL_get_app_data(ssl));
  const unsigned char* bytes = nullptr;
  std::size_t size = 0;
  self.state_ = State::unnamed;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) == 1) {
    const std::string_view name = name_in({reinterpret_cast<const char*>(bytes), size});
    if (is_host_name(name)) {
      self.name_ = to_lower(name);
      self.state_ = State::named;
    }
  }
  return SSL_CLIENT_HELLO_RETRY;  // not refused, which would write an alert, but left there
}

ssl_st* ClientHello::make_ssl(ClientHello& owner) {
  static const SslContext context = [] {
    SslContext made(SSL_CTX_new(TLS_server_method()));
    if (made) SSL_CTX_set_client_hello_cb(made.get(), &ClientHello::hello_is_whole, nullptr);
    return made;
  }();
  SSL* ssl = context ? SSL_new(context.get()) : nullptr;
  BIO* input = BIO_new(BIO_s_mem());
  BIO* output = BIO_new(BIO_s_null());
  if (ssl == nullptr || input == nullptr || output == nullptr) {
    SSL_free(ssl);
    BIO_free(input);
    BIO_free(output);
    throw std::bad_alloc();
  }
  SSL_set_bio(ssl, input, output);
  SSL_set_app_data(ssl, &owner);
  SSL_set_accept_state(ssl);
  return ssl;
}

ClientHello::State ClientHello::take(std::string_view bytes) {
  if (bytes.empty() || state_ != State::incomplete) return state_;
  if (!ssl_) {
    if (bytes.front() != kHandshake) return state_ = State::not_tls;
    ssl_.reset(make_ssl(*this));
  }
  std::size_t taken = 0;
  if (BIO_write_ex(SSL_get_rbio(ssl_.get()), bytes.data(), bytes.size(), &taken) != 1) throw std::bad_alloc();
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (state_ == State::incomplete && SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ) state_ = State::not_tls;
  ERR_clear_error();
  if (state_ != State::incomplete) ssl_.reset();
  return state_;
}

}  // namespace tunnel::net
