// SPDX-License-Identifier: Apache-2.0
#include "runtime/access_log.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace tunnel {
namespace {

// A folder that goes with the test.
class Folder {
 public:
  Folder() : path_(testing::TempDir() + "tunnel-log-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) throw std::system_error(errno, std::generic_category(), path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    for (const std::string& name : names_) ::unlink(name.c_str());
    ::rmdir(path_.c_str());
  }
  std::string file(const std::string& name) {
    names_.push_back(path_ + "/" + name);
    return names_.back();
  }

 private:
  std::string path_;
  std::vector<std::string> names_;
};

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

plan::Plan plan_with(std::vector<std::pair<std::string, std::string>> logs) {
  plan::Plan plan;
  for (auto& [name, path] : logs) {
    plan::Listener listener;
    listener.name = name;
    listener.handler = plan::Echo{};
    listener.access_log = path;
    plan.listeners.push_back(std::move(listener));
  }
  return plan;
}

AccessRecord record_of(const std::string& listener, const std::string& upstream = "u") {
  AccessRecord record;
  record.listener = listener;
  record.upstream = upstream;
  return record;
}

TEST(AccessLog, WritesEveryRecordToItsListenersFile) {
  Folder folder;
  const std::string first = folder.file("first.log");
  const std::string second = folder.file("second.log");
  {
    runtime::AccessLog log(plan_with({{"a", first}, {"b", second}, {"c", ""}}));
    log.write(record_of("a", "one"));
    log.write(record_of("b", "two"));
    log.write(record_of("a", "three"));
    log.write(record_of("c", "four"));
    log.stop();
    EXPECT_EQ(log.lost(), 0U);
  }
  const std::vector<std::string> lines = lines_of(first);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_NE(lines[0].find("-> one "), std::string::npos);
  EXPECT_NE(lines[1].find("-> three "), std::string::npos);
  EXPECT_EQ(lines_of(second).size(), 1U);
}

TEST(AccessLog, AListenerMayHaveAFormOfItsOwn) {
  Folder folder;
  const std::string path = folder.file("shared.log");
  {
    plan::Plan plan = plan_with({{"a", path}, {"b", path}, {"c", path}});
    plan.listeners[0].access_format.text = "to %UPSTREAM_HOST%\n";
    plan.listeners[1].access_format.fields = {{"to", "%UPSTREAM_HOST%"}};
    runtime::AccessLog log(plan);
    log.write(record_of("a"));
    log.write(record_of("b"));
    log.write(record_of("c"));
  }
  const std::vector<std::string> lines = lines_of(path);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], "to u");
  EXPECT_EQ(lines[1], R"({"to":"u"})");
  EXPECT_NE(lines[2].find("-> u "), std::string::npos);
}

TEST(AccessLog, ListenersMayShareAFileAndItIsAppendedTo) {
  Folder folder;
  const std::string path = folder.file("shared.log");
  for (int run = 0; run < 2; ++run) {
    runtime::AccessLog log(plan_with({{"a", path}, {"b", path}}));
    log.write(record_of("a"));
    log.write(record_of("b"));
  }
  EXPECT_EQ(lines_of(path).size(), 4U);
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07U, 0U);  // not for everybody
}

TEST(AccessLog, TheFormatIsThePlans) {
  Folder folder;
  const std::string path = folder.file("json.log");
  plan::Plan plan = plan_with({{"a", path}});
  plan.process.log_format = plan::LogFormat::json;
  {
    runtime::AccessLog log(plan);
    log.write(record_of("a"));
  }
  const std::vector<std::string> lines = lines_of(path);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].front(), '{');
  EXPECT_EQ(lines[0].back(), '}');
}

TEST(AccessLog, AFullDiskLosesRecordsCountsThemAndStopsNobody) {
  Folder folder;
  const std::string path = folder.file("good.log");
  runtime::AccessLog log(plan_with({{"full", "/dev/full"}, {"good", path}}));
  for (int i = 0; i < 100; ++i) log.write(record_of("full"));
  log.write(record_of("good"));
  log.stop();
  EXPECT_EQ(log.lost(), 100U);
  EXPECT_EQ(lines_of(path).size(), 1U);
}

TEST(AccessLog, RecordsOfManyThreadsStayWhole) {
  Folder folder;
  const std::string path = folder.file("threads.log");
  {
    runtime::AccessLog log(plan_with({{"a", path}}));
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&log] {
        for (int i = 0; i < 250; ++i) log.write(record_of("a"));
      });
    for (std::thread& thread : threads) thread.join();
    log.stop();
    EXPECT_EQ(log.lost(), 0U);
  }
  const std::vector<std::string> lines = lines_of(path);
  EXPECT_EQ(lines.size(), 1000U);
  for (const std::string& line : lines) ASSERT_TRUE(line.ends_with(": ok")) << line;
}

TEST(AccessLog, AFileThatCannotBeOpenedEndsTheStart) {
  try {
    const runtime::AccessLog log(plan_with({{"a", "/nonexistent/access.log"}}));
    FAIL() << "opened";
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find("/nonexistent/access.log"), std::string::npos);
  }
}

TEST(AccessLog, StopIsIdempotentAndLateRecordsHarmNothing) {
  Folder folder;
  runtime::AccessLog log(plan_with({{"a", folder.file("late.log")}}));
  log.stop();
  log.write(record_of("a"));
  log.stop();
  SUCCEED();
}

}  // namespace
}  // namespace tunnel
