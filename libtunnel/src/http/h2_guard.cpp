// SPDX-License-Identifier: Apache-2.0
#include "http/h2_guard.hpp"

#include <algorithm>

namespace tunnel::h2 {
namespace {

constexpr double kResetsPerSecond = 33;
constexpr Duration kOwnResetWindow = std::chrono::seconds(10);
constexpr std::uint64_t kPrioritiesPerStream = 100;
constexpr std::uint64_t kWindowUpdatesAtLeast = 5;
constexpr std::uint64_t kWindowUpdatesPerData = 10;
constexpr unsigned kEmptyFramesInARow = 1;
// A head that compresses well is judged by its decoded fields; one this much larger than the limit in compressed form
// is not worth decoding at all.
constexpr std::size_t kCompressedHeadFactor = 4;

}  // namespace

Guard::Guard(const Context& context)
    : context_(context),
      reset_tokens_(static_cast<double>(context.limits.h2_resets)),
      reset_filled_(context.loop.now()),
      own_resets_since_(context.loop.now()) {}

Guard::Verdict Guard::frame(FrameType type, std::size_t length, bool ends_stream) {
  switch (type) {
    case FrameType::headers:
      head_frames_ = 0;
      head_bytes_ = length;
      break;
    case FrameType::continuation:
      head_bytes_ += length;
      if (++head_frames_ > context_.limits.h2_continuations)
        return hit(Verdict::continuations, Counter::h2_continuations);
      break;
    case FrameType::priority:
      if (++priorities_ > kPrioritiesPerStream * (1 + opened_streams_)) return hit(Verdict::flood, Counter::h2_floods);
      return Verdict::fine;
    case FrameType::window_update:
      if (++window_updates_ > kWindowUpdatesAtLeast + 2 * (opened_streams_ + kWindowUpdatesPerData * data_units_))
        return hit(Verdict::flood, Counter::h2_floods);
      return Verdict::fine;
    case FrameType::data:
      break;
    default:
      return Verdict::fine;
  }
  if (type != FrameType::data && head_bytes_ > kCompressedHeadFactor * context_.limits.head_bytes)
    return hit(Verdict::huge_head, Counter::heads_too_large);
  if (length > 0 || (ends_stream && type == FrameType::data)) {
    empty_frames_ = 0;
    return Verdict::fine;
  }
  return ++empty_frames_ > kEmptyFramesInARow ? hit(Verdict::empty_frames, Counter::framing_floods) : Verdict::fine;
}

Guard::Verdict Guard::reset_before_answer() {
  const auto burst = static_cast<double>(context_.limits.h2_resets);
  const TimePoint now = context_.loop.now();
  const double elapsed_s = std::chrono::duration<double>(now - reset_filled_).count();
  reset_tokens_ = std::min(burst, reset_tokens_ + elapsed_s * kResetsPerSecond);
  reset_filled_ = now;
  reset_tokens_ -= 1;
  return reset_tokens_ < 0 ? hit(Verdict::rapid_reset, Counter::h2_rapid_resets) : Verdict::fine;
}

Guard::Verdict Guard::reset_provoked() {
  const TimePoint now = context_.loop.now();
  if (now - own_resets_since_ > kOwnResetWindow) {
    own_resets_since_ = now;
    own_resets_ = 0;
  }
  return ++own_resets_ > context_.limits.h2_own_resets ? hit(Verdict::own_resets, Counter::h2_own_resets)
                                                       : Verdict::fine;
}

Guard::Verdict Guard::outbound(std::size_t control_frames, std::size_t frames) {
  const bool too_many =
      control_frames > context_.limits.h2_outbound_control || frames > context_.limits.h2_outbound_frames;
  return too_many ? hit(Verdict::flood, Counter::h2_floods) : Verdict::fine;
}

const char* Guard::text(Verdict verdict) {
  switch (verdict) {
    case Verdict::fine:
      return "fine";
    case Verdict::rapid_reset:
      return "too many streams reset before their answer";
    case Verdict::own_resets:
      return "too many streams had to be reset";
    case Verdict::continuations:
      return "too many CONTINUATION frames";
    case Verdict::flood:
      return "too many control frames";
    case Verdict::empty_frames:
      return "empty frames in a row";
    case Verdict::huge_head:
      return "a head of many times the limit";
  }
  return "";
}

}  // namespace tunnel::h2
