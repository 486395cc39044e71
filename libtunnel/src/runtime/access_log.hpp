// SPDX-License-Identifier: Apache-2.0
// Writes access records as lines: text, logfmt, JSON or in the form of the listener, a thread of its own doing the
// writing. A full queue or disk loses records, counts them and never stops a worker.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/access_record.hpp"
#include "base/fd.hpp"
#include "runtime/access_line.hpp"
#include "tunnel/plan.hpp"

namespace tunnel::runtime {

// One line without its newline. Everything that came from a peer is escaped.
std::string format_record(const AccessRecord& record, plan::LogFormat format);

class AccessLog final : public RecordSink {
 public:
  // Opens every file the plan names; throws std::system_error with the file's name.
  explicit AccessLog(const plan::Plan& plan);
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;
  ~AccessLog() override { stop(); }
  void write(const AccessRecord& record) noexcept override;  // any thread
  std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }
  // Writes what is queued and ends the thread; what a reader does not take within a second or two is lost.
  void stop() noexcept;

 private:
  struct File {
    Fd owned;
    int fd = -1;
    std::string pending;  // guarded by mutex_
    std::uint64_t pending_lines = 0;
  };
  // Where the lines of a listener go, in which form; none: that of the process.
  struct Sink {
    File* file = nullptr;
    std::optional<AccessLine> form;
  };
  void open(File& file, const std::string& path);
  void run() noexcept;
  void write_out(const std::string& path, int fd, const std::string& lines, std::uint64_t count) noexcept;
  void complain(const std::string& path, int number) noexcept;

  plan::LogFormat format_;
  std::map<std::string, File> files_;  // by path
  std::map<std::string, Sink, std::less<>> by_listener_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> lost_{0};
  std::chrono::steady_clock::time_point next_complaint_{};  // the writing thread's
  std::thread thread_;
};

}  // namespace tunnel::runtime
