// SPDX-License-Identifier: Apache-2.0
#include "runtime/access_log.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.hpp"

namespace tunnel::runtime {
namespace {

constexpr std::size_t kPendingBytes = 1 << 20;
constexpr std::chrono::minutes kComplaints{1};        // about a file that takes nothing, at most one in this time
constexpr std::chrono::milliseconds kPatience{1000};  // with a reader that takes nothing, once we end

std::string timestamp(std::chrono::system_clock::time_point when) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", utc, ms % 1000);
}

std::string_view side_word(Error::Side side) {
  if (side == Error::Side::downstream) return "downstream";
  return side == Error::Side::upstream ? "upstream" : "us";
}

// "ok", or who ended it how: "upstream reset".
std::string outcome(const Error& error) {
  if (!error) return "ok";
  if (error.side == Error::Side::us) return std::string(to_string(error.kind));
  return fmt::format("{} {}", side_word(error.side), to_string(error.kind));
}

using Pairs = std::vector<std::pair<std::string_view, std::string>>;

// The fields both machine formats share, in order; empty ones are left out.
Pairs fields_of(const AccessRecord& record) {
  Pairs pairs{{"time", timestamp(record.start)},
              {"listener", std::string(record.listener)},
              {"protocol", std::string(record.protocol)}};
  const auto add = [&pairs](std::string_view key, std::string value) {
    if (!value.empty()) pairs.emplace_back(key, std::move(value));
  };
  add("downstream", log::escape(record.downstream_remote));
  add("local", log::escape(record.downstream_local));
  add("upstream", log::escape(record.upstream));
  add("cluster", std::string(record.cluster));
  add("method", log::escape(record.method));
  add("authority", log::escape(record.authority));
  add("path", log::escape(record.path));
  add("outcome", outcome(record.error));
  add("detail", log::escape(record.error.text()));
  return pairs;
}

std::string format_json(const AccessRecord& record) {
  boost::json::object object;
  for (auto& [key, value] : fields_of(record)) object[key] = value;
  if (record.status != 0) object["status"] = record.status;
  if (record.error.received_status != 0) object["received_status"] = record.error.received_status;
  object["bytes_received"] = record.bytes_received;
  object["bytes_sent"] = record.bytes_sent;
  object["duration_us"] = record.duration.count();
  return boost::json::serialize(object);
}

std::string quote(const std::string& value) {
  const bool plain = value.find_first_of(" \"=") == std::string::npos;
  return plain ? value : boost::json::serialize(boost::json::string(value));
}

std::string format_logfmt(const AccessRecord& record) {
  std::string line;
  for (const auto& [key, value] : fields_of(record))
    line += fmt::format("{}{}={}", line.empty() ? "" : " ", key, quote(value));
  if (record.status != 0) line += fmt::format(" status={}", record.status);
  if (record.error.received_status != 0) line += fmt::format(" received_status={}", record.error.received_status);
  return line + fmt::format(" bytes_received={} bytes_sent={} duration_us={}", record.bytes_received, record.bytes_sent,
                            record.duration.count());
}

// Within the quotes of a text line a quote of the peer's must not look like their end.
std::string escape_quoted(std::string_view bytes) {
  std::string text = log::escape(bytes);
  for (std::size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at)) text.replace(at, 1, "\\x22");
  return text;
}

std::string format_text(const AccessRecord& record) {
  std::string line =
      fmt::format("{} {} {} -> {}", timestamp(record.start), record.listener, log::escape(record.downstream_remote),
                  record.upstream.empty() ? "-" : log::escape(record.upstream));
  if (record.kind == AccessRecord::Kind::connection) {
    line += record.authority.empty() ? " TCP" : fmt::format(" TCP in CONNECT {}", log::escape(record.authority));
  } else {
    line += fmt::format(" \"{}{}{}{} {}\" {}", escape_quoted(record.method), record.method.empty() ? "-" : " ",
                        escape_quoted(record.authority), escape_quoted(record.path), record.protocol, record.status);
  }
  line += fmt::format(" received {} sent {} in {:.3f} ms: {}", record.bytes_received, record.bytes_sent,
                      static_cast<double>(record.duration.count()) / 1000.0, outcome(record.error));
  if (record.error.detail) line += fmt::format(" ({})", log::escape(record.error.text()));
  return line;
}

}  // namespace

std::string format_record(const AccessRecord& record, plan::LogFormat format) {
  switch (format) {
    case plan::LogFormat::json:
      return format_json(record);
    case plan::LogFormat::logfmt:
      return format_logfmt(record);
    default:
      return format_text(record);
  }
}

AccessLog::AccessLog(const plan::Plan& plan) : format_(plan.process.log_format) {
  for (const plan::Listener& listener : plan.listeners) {
    if (listener.access_log.empty()) continue;
    File& file = files_[listener.access_log];
    Sink& sink = by_listener_[listener.name];
    sink.file = &file;
    if (listener.access_format != plan::AccessFormat{}) sink.form.emplace(listener.access_format);
    if (file.fd < 0) open(file, listener.access_log);
  }
  if (!files_.empty()) thread_ = std::thread([this] { run(); });
}

void AccessLog::open(File& file, const std::string& path) {
  // Not by its name: it may be a socket, or another user's terminal.
  if (path == "-" || path == "/dev/stderr") {
    file.fd = path == "-" ? STDOUT_FILENO : STDERR_FILENO;
    return;
  }
  file.owned = Fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640));
  if (!file.owned) throw std::system_error(errno, std::generic_category(), "cannot open the access log " + path);
  file.fd = file.owned.get();
}

void AccessLog::write(const AccessRecord& record) noexcept {
  const auto found = by_listener_.find(record.listener);
  if (found == by_listener_.end()) return;
  try {
    const Sink& sink = found->second;
    const std::string line = sink.form ? sink.form->of(record) : format_record(record, format_) + '\n';
    const std::scoped_lock lock(mutex_);
    File& file = *sink.file;
    if (file.pending.size() + line.size() > kPendingBytes) {
      lost_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    file.pending += line;
    ++file.pending_lines;
    wake_.notify_one();
  } catch (const std::bad_alloc&) {
    lost_.fetch_add(1, std::memory_order_relaxed);
  }
}

void AccessLog::run() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    bool wrote = false;
    for (auto& [path, file] : files_) {
      if (file.pending.empty()) continue;
      const std::string lines = std::exchange(file.pending, {});
      const std::uint64_t count = std::exchange(file.pending_lines, 0);
      lock.unlock();
      write_out(path, file.fd, lines, count);
      lock.lock();
      wrote = true;
    }
    if (wrote) continue;
    if (stopping_) return;
    wake_.wait(lock);
  }
}

void AccessLog::write_out(const std::string& path, int fd, const std::string& lines, std::uint64_t count) noexcept {
  std::size_t done = 0;
  while (done < lines.size()) {
    // A reader that has stopped must not stop the end of this process; what poll() lets through never waits.
    pollfd ready{fd, POLLOUT, 0};
    const bool stopping = stopping_.load(std::memory_order_relaxed);
    const int polled = ::poll(&ready, 1, static_cast<int>(kPatience.count()));
    if (polled == 0 && !stopping) continue;
    const std::size_t most = std::min<std::size_t>(lines.size() - done, PIPE_BUF);
    const ssize_t n = polled == 0 ? 0 : ::write(fd, lines.data() + done, most);
    if (n > 0) {
      done += static_cast<std::size_t>(n);
    } else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
      const int number = n == 0 ? ETIMEDOUT : errno;
      lost_.fetch_add(count, std::memory_order_relaxed);
      complain(path, number);
      return;
    }
  }
}

void AccessLog::complain(const std::string& path, int number) noexcept {
  const auto now = std::chrono::steady_clock::now();
  if (now < next_complaint_) return;
  next_complaint_ = now + kComplaints;
  log::warning("access log {}: cannot write ({}), {} lines lost so far", path, std::strerror(number), lost());
}

void AccessLog::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace tunnel::runtime
