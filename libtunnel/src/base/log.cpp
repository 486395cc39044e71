// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include <poll.h>
#include <spdlog/async.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace tunnel::log {
namespace {

constexpr std::size_t kQueuedLines = 8192;
constexpr int kPatienceMs = 500;
constexpr auto kUtc = spdlog::pattern_time_type::utc;  // as the access log

std::atomic<Level> threshold{Level::warning};
std::atomic<bool> running{false};
Style style_in_use = Style::text;
std::shared_ptr<spdlog::details::thread_pool> pool;
std::shared_ptr<spdlog::async_logger> logger;
std::function<void(Level, std::string_view)> embedders;

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      break;
  }
  return spdlog::level::err;
}

bool colours_wanted() {
  const char* no_colour = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe): before other threads
  const char* term = std::getenv("TERM");           // NOLINT(concurrency-mt-unsafe)
  return ::isatty(STDERR_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') && term != nullptr &&
         std::string_view(term) != "dumb";
}

std::string quoted(std::string_view line) { return boost::json::serialize(boost::json::string(line)); }

}  // namespace

void start(Level level, Style style, bool over_a_meter) {
  threshold = level;
  style_in_use = style;
  pool = std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1);
  auto sink = std::make_shared<spdlog::sinks::ansicolor_stderr_sink_mt>(colours_wanted() ? spdlog::color_mode::always
                                                                                         : spdlog::color_mode::never);
  logger = std::make_shared<spdlog::async_logger>("tunnel", sink, pool, spdlog::async_overflow_policy::overrun_oldest);
  logger->set_level(spdlog::level::trace);
  if (style == Style::json)
    logger->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":%v})", kUtc);
  else if (style == Style::logfmt)
    logger->set_pattern("time=%Y-%m-%dT%H:%M:%S.%eZ level=%l message=%v", kUtc);
  else
    logger->set_pattern(std::string(over_a_meter ? "\r\x1b[K" : "") + "%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", kUtc);
  running = true;
}

void start(Level least, std::function<void(Level, std::string_view)> sink) {
  threshold = least;
  embedders = std::move(sink);
}

void stop() noexcept {
  if (!running.exchange(false)) return;
  logger->flush();
  pool.reset();  // not the logger: a thread that is about to write a line has it
}

bool enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }

void set_level(Level least) { threshold.store(least, std::memory_order_relaxed); }

Level level() { return threshold.load(std::memory_order_relaxed); }

void write(Level level, std::string_view line) {
  if (!enabled(level)) return;
  if (embedders) return embedders(level, line);
  if (!running) {
    fmt::print(stderr, "{}\n", line);
    return;
  }
  if (style_in_use == Style::text)
    logger->log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
  else
    logger->log(to_spdlog(level), quoted(line));
}

void write_at_once(Level level, std::string_view line) {
  if (!enabled(level)) return;
  // Whoever keeps stderr full has to wait for the line, not we.
  pollfd writable{STDERR_FILENO, POLLOUT, 0};
  if (!running || ::poll(&writable, 1, kPatienceMs) <= 0) return write(level, line);
  const std::string text = style_in_use == Style::text ? std::string(line) : quoted(line);
  for (const spdlog::sink_ptr& sink : logger->sinks()) {
    sink->log(spdlog::details::log_msg(logger->name(), to_spdlog(level), text));
    sink->flush();
  }
}

std::uint64_t lost() { return pool ? pool->overrun_counter() : 0; }

std::string escape(std::string_view bytes, std::size_t max_bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    if (text.size() >= max_bytes) return text + "...";
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '\\') {
      text.push_back(c);
    } else {
      text += "\\x";
      text.push_back(kHex[byte >> 4]);
      text.push_back(kHex[byte & 15]);
    }
  }
  return text;
}

}  // namespace tunnel::log
