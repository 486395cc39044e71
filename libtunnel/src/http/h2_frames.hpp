// SPDX-License-Identifier: Apache-2.0
// FrameReader: walks over the frames of an HTTP/2 connection as their bytes come, in pieces cut anywhere, and shows
// each frame's header before the frame is handed on. nghttp2 drops frames on closed streams without a word; what they
// say about the peer is judged from here. Copies 13 bytes at most, and knows no frame's meaning.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/h2_guard.hpp"

namespace tunnel::h2 {

class FrameReader {
 public:
  static constexpr std::size_t kHeaderBytes = 9;

  explicit FrameReader(std::size_t preface_bytes) : left_(preface_bytes) {}

  struct Step {
    std::size_t bytes = 0;   // of the piece, at least one, that belong together
    bool new_frame = false;  // the header of a frame is complete with them: the accessors describe it
  };
  Step step(std::string_view piece);

  // Bytes of the frame's payload (or the preface) that are still to come, and those of the next frame's header (with
  // the payload of a WINDOW_UPDATE); either is 0 while the other is not.
  std::size_t payload_left() const { return left_; }
  std::size_t header_left() const { return left_ == 0 ? wanted() - have_ : 0; }
  // `bytes` of the payload came another way.
  void skip(std::size_t bytes) { left_ -= bytes; }

  FrameType type() const { return static_cast<FrameType>(head_[3]); }
  std::size_t length() const { return number(0, 3); }
  std::int32_t stream_id() const { return static_cast<std::int32_t>(number(5, 4) & 0x7fffffff); }
  bool ends_stream() const { return (head_[4] & 0x1) != 0; }
  bool padded() const { return (head_[4] & 0x8) != 0; }
  bool is_head() const { return type() == FrameType::headers || type() == FrameType::continuation; }
  // A WINDOW_UPDATE that updates nothing.
  bool is_empty_window_update() const { return is_window_update() && (number(9, 4) & 0x7fffffff) == 0; }
  // A header block has begun and not ended.
  bool inside_head() const { return seen_frame_ && is_head() && !((head_[4] & 0x4) != 0 && left_ == 0); }

 private:
  std::size_t wanted() const { return have_ >= kHeaderBytes && is_window_update() ? head_.size() : kHeaderBytes; }
  bool is_window_update() const { return type() == FrameType::window_update && length() == 4; }
  std::size_t number(std::size_t at, std::size_t bytes) const;

  std::array<std::uint8_t, 13> head_{};  // and, of a WINDOW_UPDATE, the payload
  std::size_t have_ = 0;
  std::size_t left_;  // of the preface or a payload
  bool seen_frame_ = false;
};

}  // namespace tunnel::h2
