// SPDX-License-Identifier: Apache-2.0
// The process's log: lines on stderr, written by a thread of their own so that a slow terminal never stops a worker (a
// full queue drops lines and counts them). Text from peers goes through escape() first.
#pragma once
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace tunnel::log {

enum class Level : std::uint8_t { trace, debug, info, warning, error };
enum class Style : std::uint8_t { text, logfmt, json };

// Once, from main(), before other threads. Without it lines of warning and above go to stderr directly (tests).
// `over_a_meter`: the terminal's current line is somebody's to rewrite; a line of the log takes its place.
void start(Level level, Style style, bool over_a_meter = false);
// Lines of `least` and above go to `sink` instead, from whatever thread writes one. Once, before other threads.
void start(Level least, std::function<void(Level, std::string_view)> sink);
// Writes what is queued and ends the thread. After it lines go to stderr directly.
void stop() noexcept;
bool enabled(Level level);
// From now on lines of `least` and above are written. Any thread.
void set_level(Level least);
Level level();
void write(Level level, std::string_view line);
// The same past the queue: it is written when this returns, if stderr takes it within half a second.
void write_at_once(Level level, std::string_view line);
std::uint64_t lost();

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

// Bytes of a peer made harmless for one line of a log: everything but printable ASCII, and the backslash, as \xNN; cut
// at `max_bytes` with "...".
std::string escape(std::string_view bytes, std::size_t max_bytes = 512);

}  // namespace tunnel::log
