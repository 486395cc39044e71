// SPDX-License-Identifier: Apache-2.0
// Access records as lines of a form of the user's: text or JSON with Envoy's operators. What came from a peer is
// escaped, so that nobody writes lines, or the end of a quoted text, into another one's log.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/access_record.hpp"
#include "plan/access_format.hpp"

namespace tunnel::runtime {

class AccessLine {
 public:
  // Throws std::invalid_argument where the format has faults.
  explicit AccessLine(const plan::AccessFormat& format);
  // What a file gets: text as it is formatted, which brings its own end of the line; of JSON a line.
  std::string of(const AccessRecord& record) const;

 private:
  struct Field {
    std::string begin;  // name and ':', as JSON
    plan::AccessParts parts;
    std::vector<Field> fields;  // of an object
  };
  static std::vector<Field> compiled(const std::vector<plan::AccessField>& fields);
  // As JSON; "" if it is left out.
  std::string json_value(const Field& field, const AccessRecord& record) const;
  std::string json_object(const std::vector<Field>& fields, const AccessRecord& record) const;
  std::string_view nothing() const { return omits_empty_ ? "" : "-"; }  // for an operator without a value in a text

  plan::AccessParts text_;
  std::vector<Field> fields_;
  bool omits_empty_;
};

}  // namespace tunnel::runtime
