// SPDX-License-Identifier: Apache-2.0
#include "http/h2_frames.hpp"

#include <algorithm>

namespace tunnel::h2 {

std::size_t FrameReader::number(std::size_t at, std::size_t bytes) const {
  std::size_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = value << 8 | head_[at + i];
  return value;
}

FrameReader::Step FrameReader::step(std::string_view piece) {
  if (left_ > 0) {
    const std::size_t n = std::min(left_, piece.size());
    left_ -= n;
    return {n, false};
  }
  std::size_t n = 0;
  while (n < piece.size() && have_ < wanted()) {
    if (have_ == 0) seen_frame_ = false;  // the accessors mix two frames until this one is complete
    head_[have_++] = static_cast<std::uint8_t>(piece[n++]);
  }
  if (have_ < wanted()) return {n, false};
  left_ = length() - (have_ - kHeaderBytes);
  have_ = 0;
  seen_frame_ = true;
  const std::size_t more = std::min(left_, piece.size() - n);
  left_ -= more;
  return {n + more, true};
}

}  // namespace tunnel::h2
