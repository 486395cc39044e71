// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "plan/connection_format.hpp"
#include "tunnel/connection_info.hpp"

namespace tunnel::proxy {

// `text` as a format. Without `inspector` nobody has looked for the server's name as far as it is concerned: that
// operator is left out.
plan::ConnectionFormat format_of(const std::string& text, bool inspector);

// The text `format` stands for on behalf of a connection; an operator that has no value there is empty.
std::string formatted_value(const plan::ConnectionFormat& format, const ConnectionInfo& info);

// What is there under a space and a key, or nullptr. Lives as long as `metadata`, which may be nullptr.
const MetadataValue* metadata_value(const DynamicMetadata* metadata, std::string_view space, std::string_view key);

}  // namespace tunnel::proxy
