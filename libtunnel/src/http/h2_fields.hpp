// SPDX-License-Identifier: Apache-2.0
// Heads between HTTP/2 header blocks and http/message.hpp. Received fields are counted before anything is copied; the
// rules nghttp2 leaves to its users (RFC 9113 sections 8.3.1 and 8.5) are judged here.
#pragma once
#include <nghttp2/nghttp2.h>

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/limits.hpp"
#include "http/message.hpp"

namespace tunnel::h2 {

// A header block as it arrives, field by field.
class ReceivedHead {
 public:
  explicit ReceivedHead(const Limits& limits) : limits_(limits) {}
  void add(std::string_view name, std::string_view value);
  // More fields or bytes (name + value + 32 each) than the limits: nothing more was kept from there on.
  bool too_large() const { return too_large_; }

  std::uint16_t status() const { return status_; }
  const std::optional<std::uint64_t>& content_length() const { return content_length_; }
  http::Fields take_fields() { return std::move(fields_); }

  struct Refusal {
    std::uint16_t status = 0;
    std::string_view reason;
  };
  // The request this is, moved out; or why it is answered with an error instead.
  std::optional<Refusal> take_request(http::RequestHead& into);

 private:
  void add_pseudo(std::string_view name, std::string_view value);

  const Limits& limits_;
  http::RequestHead request_;
  http::Fields fields_;
  std::optional<std::string> host_;
  std::optional<std::uint64_t> content_length_;
  std::string cookies_;  // crumbs joined
  std::size_t bytes_ = 0;
  std::size_t count_ = 0;
  std::uint16_t status_ = 0;
  bool too_large_ = false;
};

// Fields to be sent. Names and values are not copied: what is added must live until they were submitted.
class FieldList {
 public:
  void add(std::string_view name, std::string_view value);
  void add_number(std::string_view name, std::uint64_t value);
  // All but those HTTP/2 forbids or expresses otherwise (connection-specific ones, host, content-length). False if a
  // name or a value cannot be sent.
  bool add_all(const http::Fields& fields, bool keep_content_length = false);
  const nghttp2_nv* data() const { return fields_.data(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<nghttp2_nv> fields_;
  std::list<std::string> numbers_;
};

// False if a peer would read something else than we meant: controls, spaces, a target without a port.
bool may_be_sent(const http::RequestHead& head);

}  // namespace tunnel::h2
