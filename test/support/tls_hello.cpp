// SPDX-License-Identifier: Apache-2.0
#include "support/tls_hello.hpp"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <memory>
#include <stdexcept>

namespace tunnel::test {
namespace {

struct Free {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};

void must(bool holds) {
  if (!holds) throw std::runtime_error("OpenSSL makes no ClientHello");
}

}  // namespace

std::string tls_hello(const std::string& server_name, std::size_t more) {
  const std::unique_ptr<SSL_CTX, Free> context(SSL_CTX_new(TLS_client_method()));
  must(context != nullptr);
  const std::unique_ptr<SSL, Free> ssl(SSL_new(context.get()));
  must(ssl != nullptr);
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  if (!server_name.empty()) must(SSL_set_tlsext_host_name(ssl.get(), server_name.c_str()) == 1);
  std::string protocols;
  while (protocols.size() < more) protocols += '\x7f' + std::string(127, 'p');
  if (more > 0) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(protocols.data());
    must(SSL_set_alpn_protos(ssl.get(), bytes, static_cast<unsigned>(protocols.size())) == 0);
  }
  must(SSL_connect(ssl.get()) != 1);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(SSL_get_wbio(ssl.get()), &bytes);
  must(size > 0);
  return {bytes, static_cast<std::size_t>(size)};
}

std::string tls_hello_of_bytes(const std::string& name) {
  must(name.size() < 256);
  const std::string stand_in(name.size(), 'q');
  // With its type and its length: a letter alone may be anywhere.
  const std::string entry = std::string(2, '\0') + static_cast<char>(name.size()) + stand_in;
  std::string hello = tls_hello(stand_in);
  const std::size_t at = hello.find(entry);
  must(at != std::string::npos);
  return hello.replace(at + 3, name.size(), name);
}

}  // namespace tunnel::test
