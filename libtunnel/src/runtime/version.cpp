// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>

#include <boost/version.hpp>

#include "tunnel/run.hpp"

namespace tunnel {

std::string version() {
  return fmt::format("{} (Boost {}.{}, nghttp2 {}, {})", TUNNEL_VERSION, BOOST_VERSION / 100000,
                     BOOST_VERSION / 100 % 1000, nghttp2_version(0)->version_str, OpenSSL_version(OPENSSL_VERSION));
}

}  // namespace tunnel
