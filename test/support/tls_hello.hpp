// SPDX-License-Identifier: Apache-2.0
// The first bytes of a TLS client, made by OpenSSL.
#pragma once
#include <cstddef>
#include <string>

namespace tunnel::test {

// What a client sends that asks for `server_name` ("": for none). `more`: about as many bytes are added, as protocols
// it could speak; a hello too long for a record has several.
std::string tls_hello(const std::string& server_name, std::size_t more = 0);

// The same, with a name no client of OpenSSL's would send.
std::string tls_hello_of_bytes(const std::string& name);

}  // namespace tunnel::test
