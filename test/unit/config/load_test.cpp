// SPDX-License-Identifier: Apache-2.0
// Whole invocations: process options, tun-run and its files, exit statuses; and the promises a Plan can keep.
#include "config/load.hpp"

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

TEST(Load, ProcessOptions) {
  const plan::Plan plan =
      plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1", "--workers", "3", "--drain", "0", "--limit", "hops=4",
                                   "--limit", "conns=9", "--log-format", "json", "--force-pairs", "-v", "-v"});
  plan::Process expected;
  expected.workers = 3;
  expected.drain = 0ms;
  expected.limits = {{"hops", 4}, {"conns", 9}};
  expected.log_format = plan::LogFormat::json;
  expected.force_pairs = true;
  expected.verbosity = 2;
  EXPECT_TRUE(plan.process == expected);
  EXPECT_EQ(plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1", "-q"}).process.verbosity, -1);
  EXPECT_EQ(plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1", "-v"}).process.verbosity, 1);
}

TEST(Load, TunRunTakesTheSameProcessOptions) {
  const Texts options = {"--workers",    "3",      "--drain",       "1h", "--limit", "hops=4",
                         "--log-format", "logfmt", "--force-pairs", "-q"};
  Texts alone = {"-l", "1", "-t", "a:1"};
  Texts together = {"-e", "tcp-chain -l 1 -t a:1"};
  alone.insert(alone.end(), options.begin(), options.end());
  together.insert(together.end(), options.begin(), options.end());
  EXPECT_TRUE(plan_of(Program::tcp_chain, alone) == plan_of(Program::tun_run, together));
}

TEST(Load, TheAdminServerIsOnLoopbackUnlessToldOtherwise) {
  const auto admin = [](const std::string& value) {
    return plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1", "--admin", value}).process.admin.value();
  };
  EXPECT_EQ(admin("9901"), plan::Address(plan::Tcp{"", 9901}));
  EXPECT_EQ(admin("localhost:9901"), plan::Address(plan::Tcp{"", 9901}));
  EXPECT_EQ(admin("unix:/run/a.sock"), plan::Address(plan::Unix{"/run/a.sock", 0600}));
  EXPECT_EQ(admin("*:9901"), plan::Address(plan::Tcp{"*", 9901}));
  EXPECT_EQ(admin("192.0.2.1:9901"), plan::Address(plan::Tcp{"192.0.2.1", 9901}));
  EXPECT_EQ(admin("tcp:[2001:db8::1]:9901"), plan::Address(plan::Tcp{"2001:db8::1", 9901}));
}

struct Refused {
  Program program;
  Texts typed;
  int status;
  std::string err;  // without the hint
};

void expect_refused(const Refused& each) {
  const std::string name(name_of(each.program));
  const Typed typed = type(each.program, each.typed);
  EXPECT_EQ(typed.status, each.status) << testing::PrintToString(each.typed);
  std::string err = typed.err;
  const std::string hint = " (try " + name + " --help)\n";
  if (err.ends_with(hint)) err.replace(err.size() - hint.size(), hint.size(), "\n");
  EXPECT_EQ(err, each.err);
  EXPECT_EQ(typed.out, "");
  EXPECT_FALSE(typed.ran);
}

TEST(Load, ProcessOptionsOutOfRangeAreRefused) {
  const std::vector<Refused> cases = {
      {Program::tun_run,
       {"-e", "tcp-chain -l 1 -t a:1", "-vvv"},
       64,
       "tun-run: -v is given three times; twice is all there is to see\n"},
      {Program::tun_run,
       {"-e", "tcp-chain -l 1 -t a:1", "-vq"},
       64,
       "tun-run: -q and -v exclude each other; give one of them\n"},
      {Program::tun_run,
       {"-e", "tcp-chain -l 1 -t a:1", "--workers", "0"},
       64,
       "tun-run: --workers '0': give a number from 1 to 1024\n"},
      {Program::tcp_chain,
       {"-l", "1", "-t", "a:1", "--limit", "hops=2", "--limit", "hops=2"},
       64,
       "tcp-chain: --limit 'hops=2': the limit hops is given twice; give it once\n"},
      {Program::tcp_chain,
       {"-l", "1", "-t", "a:1", "--admin", "internal:x"},
       64,
       "tcp-chain: --admin 'internal:x': a browser or a prober must reach it; use [HOST:]PORT or unix:PATH\n"},
      {Program::tcp_chain,
       {"-l", "1", "-t", "a:1", "--admin", "unix:@a"},
       64,
       "tcp-chain: --admin 'unix:@a': an abstract socket is open to every user of this machine; write a path\n"},
      {Program::tcp_chain,
       {"-l", "unix:/run/a", "-t", "a:1", "--name", "x", "--admin", "unix:/run/a"},
       78,
       "tcp-chain: unix:/run/a is listened on twice, by x and by the admin server; choose another path\n"},
      {Program::tcp_chain,
       {"-l", "1", "-t", "a:1", "--admin", "1"},
       78,
       "tcp-chain: port 1 is listened on twice, by tcp-chain-1 and by the admin server; choose another port\n"},
      {Program::tcp_chain,
       {"-l", "1", "-t", "a:1", "--drain", "soon"},
       64,
       "tcp-chain: --drain 'soon': give a time such as 500ms, 10s, 5m or 1h; a plain number is seconds\n"},
  };
  for (const Refused& each : cases) expect_refused(each);
}

TEST(Load, TheMemoryLimitIsTheProcesss) {
  EXPECT_EQ(plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1"}).process.memory_bytes, 0U);
  EXPECT_EQ(plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1", "--mem-limit", "64M"}).process.memory_bytes,
            67108864U);
  EXPECT_EQ(plan_of(Program::tun_run, {"-e", "tcp-chain -l 1 -t a:1", "--mem-limit", "1G"}).process.memory_bytes,
            1073741824U);
  expect_refused({Program::tcp_chain,
                  {"-l", "1", "-t", "a:1", "--mem-limit", "0"},
                  64,
                  "tcp-chain: --mem-limit '0': give a size from 1M to 1024G\n"});
  expect_refused({Program::tun_run,
                  {"-e", "tcp-chain -l 1 -t a:1 --mem-limit 1G"},
                  64,
                  "tun-run: -e#1:1:23: --mem-limit is an option of the whole process; give it to tun-run\n"});
}

TEST(Load, MaxConnsOfALineRunAloneIsTheProcesss) {
  const plan::Plan alone = plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1", "--max-conns", "7"});
  EXPECT_EQ(alone.process.limits, (std::vector<plan::Limit>{{"conns", 7}}));
  EXPECT_EQ(alone.listeners.at(0).max_connections, 7U);
  const plan::Plan both =
      plan_of(Program::tcp_chain, {"-l", "1", "-t", "a:1", "--max-conns", "7", "--limit", "conns=9"});
  EXPECT_EQ(both.process.limits, (std::vector<plan::Limit>{{"conns", 9}}));
  const plan::Plan together = plan_of(Program::tun_run, {"-e", "tcp-chain -l 1 -t a:1 --max-conns 7"});
  EXPECT_TRUE(together.process.limits.empty());
  EXPECT_EQ(together.listeners.at(0).max_connections, 7U);
}

TEST(Load, FilesAndCommandsKeepTheirOrder) {
  const TemporaryFile one("one.tun", "tcp-chain -l 1 -t a:1\n\n# and\ntcp-chain -l 2 \\\n  -t a:1");
  const TemporaryFile two("two.tun", "tcp-chain -l 4 -t a:1\r\n");
  const plan::Plan plan = plan_of(Program::tun_run, {"-e", "tcp-chain -l 5 -t a:1", one.path(), "-e",
                                                     "tcp-chain -l 3 -t a:1\ntcp-chain -l 6 -t a:1", two.path()});
  Texts names;
  for (const plan::Listener& listener : plan.listeners) names.push_back(listener.name);
  EXPECT_EQ(names, (Texts{"tcp-chain-5", "tcp-chain-1", "tcp-chain-2", "tcp-chain-3", "tcp-chain-6", "tcp-chain-4"}));
  EXPECT_EQ(plan.listeners.at(2).place.file, one.path());
  EXPECT_EQ(plan.listeners.at(2).place.line, 4);
  EXPECT_EQ(plan.listeners.at(2).place.column, 14);
  EXPECT_EQ(plan.listeners.at(3).place.file, "-e#2");
}

TEST(Load, VariablesComeFromTheEnvironment) {
  const TemporaryFile file("a.tun", "tcp-chain -l ${PORT} -t \"${TO}\"\n");
  const Typed typed = type(Program::tun_run, {file.path()}, {{"PORT", "7"}, {"TO", "respond:200:a b"}});
  ASSERT_TRUE(typed.ran) << typed.err;
  EXPECT_EQ(typed.ran->listeners.at(0).name, "tcp-chain-7");
  const Typed missing = type(Program::tun_run, {file.path()}, {{"PORT", "7"}});
  EXPECT_EQ(missing.status, 78);
  EXPECT_EQ(missing.err,
            "tun-run: " + file.path() + ":1:26: the variable TO is not set; set it or write its value here\n");
}

TEST(Load, AFileIsRefusedWithTheStatusAndPlaceOfItsFault) {
  struct Case {
    std::string text;
    int status;
    std::string err;  // behind the file's name
  };
  const std::vector<Case> cases = {
      {"", 78, ":1:1: no command is written here; add a line such as tcp-chain -l 9999 -t HOST:PORT"},
      {"# nothing\n", 78, ":1:1: no command is written here; add a line such as tcp-chain -l 9999 -t HOST:PORT"},
      {"tcp-chian -l 1", 78,
       ":1:1: a line begins with tun-encap, tun-decap or tcp-chain, not 'tcp-chian', did you mean tcp-chain?"},
      {"\n  tun-run x", 78, ":2:3: tun-run cannot stand inside tun-run; write its lines here"},
      {"tcp-chain -l 1 -t 'a:1", 78, ":1:19: the quote opened here is never closed; add the closing one"},
      {"tcp-chain -l 1\n", 78, ":1:1: nowhere to connect to; add -t HOST:PORT"},
      {"tcp-chain -l 99999 -t a:1", 78, ":1:14: -l '99999': a port is a number from 1 to 65535"},
      {"tcp-chain -l 1 --too a:1", 78, ":1:16: there is no option '--too', did you mean --to?"},
      {"tcp-chain -l 1 -t a:1 --workers 2", 78,
       ":1:23: --workers is an option of the whole process; give it to tun-run"},
      {"tcp-chain -l 1 -t a:1 \\\n  --idle-timeout x", 78,
       ":2:18: --idle-timeout 'x': give a time such as 500ms, 10s, 5m or 1h; a plain number is seconds"},
      {"tcp-chain -l 1 -t respond:200:@/nonexistent/x", 66,
       ":1:19: -t: cannot read the file '/nonexistent/x' (No such file or directory); check its name and permissions"},
      {"tcp-chain -l 1 -t internal:x", 78,
       ":1:19: nothing in this process listens on internal:x; run both lines under tun-run (this one, and one with -l "
       "internal:x), or link them by unix:PATH"},
      {"tcp-chain -l 1 -t a:1\ntcp-chain -l 1 -t a:1 --name x", 78, ""},
  };
  for (const Case& each : cases) {
    const TemporaryFile file("a.tun", each.text);
    const Typed typed = type(Program::tun_run, {file.path()});
    EXPECT_EQ(typed.status, each.status) << each.text;
    if (!each.err.empty()) {
      EXPECT_EQ(typed.err, "tun-run: " + file.path() + each.err + "\n");
    }
    EXPECT_FALSE(typed.ran);
  }
}

TEST(Load, AllFaultyLinesAreToldAtOnce) {
  const TemporaryFile file("a.tun", "tcp-chain -l 0 -t a:1\ntcp-chain -l 1 -t a:1\ntun-decap -l 2\n");
  const Typed typed = type(Program::tun_run, {file.path(), "/nonexistent/b.tun"});
  EXPECT_EQ(typed.status, 78);
  EXPECT_EQ(typed.err,
            "tun-run: " + file.path() + ":1:14: -l '0': a port is a number from 1 to 65535\n" +  //
                "tun-run: " + file.path() +
                ":3:1: nowhere to send tunnels to; add --to HOST:PORT for one place, or --allow HOST:PORT for what "
                "clients ask\n" +
                "tun-run: cannot read the file '/nonexistent/b.tun' (No such file or directory); check its name and "
                "permissions\n");
}

TEST(Load, AllFaultsOfALineAreToldAtOnce) {
  const std::string time = "give a time such as 500ms, 10s, 5m or 1h; a plain number is seconds\n";
  const TemporaryFile file("a.tun",
                           "tun-encap -l 99999 -x h3:a:1 --http=1 --targett a:1 \\\n"
                           "  --idle-timeout x --buffer 1 --workers 2 --name a --name b\n"
                           "tcp-chain -l\n");
  const std::string at = "tun-run: " + file.path();
  const Typed typed = type(Program::tun_run, {file.path(), "--workers", "x", "--drain", "y", "--limit", "hop=1"});
  EXPECT_EQ(typed.status, 64);
  std::vector<std::string> expected = {
      "tun-run: --workers 'x': give a number from 1 to 1024\n",
      "tun-run: --drain 'y': " + time,
      "tun-run: --limit 'hop=1': there is no limit called 'hop', did you mean hops?\n",
      at + ":1:14: -l '99999': a port is a number from 1 to 65535\n",
      at + ":1:23: -x 'h3:a:1': say which HTTP the proxy speaks, h1:HOST:PORT or h2c:HOST:PORT, did you mean h1?\n",
      at + ":1:30: --http takes no value; write it by itself\n",
      at + ":1:39: there is no option '--targett', did you mean --target?\n",
      at + ":2:18: --idle-timeout 'x': " + time,
      at + ":2:29: --buffer '1': give a size from 1K to 8M\n",
      at + ":2:31: --workers is an option of the whole process; give it to tun-run\n",
      at + ":2:52: --name is given twice; give it once\n",
      at + ":3:11: -l needs a value; write -l LISTEN (try tun-run --help)\n",
  };
  std::size_t from = 0;
  for (const std::string& line : expected) {
    EXPECT_EQ(typed.err.find(line, from), from) << line << "in\n" << typed.err;
    from += line.size();
  }
  EXPECT_EQ(from, typed.err.size()) << typed.err;
}

TEST(Load, WordsThatAreNoneHideNothingElse) {
  const Typed typed =
      type(Program::tcp_chain, {"--lissten", "1", "-t", "interal:mid", "--http", "--check=1", "--buffer", "-q", "-q"});
  EXPECT_EQ(typed.status, 64);
  EXPECT_EQ(
      typed.err,
      "tcp-chain: there is no option '--lissten', did you mean --listen?\n"
      "tcp-chain: -t 'interal:mid': the port must be a number from 1 to 65535, not 'mid', did you mean internal:?\n"
      "tcp-chain: --http is an option of tun-encap, not of tcp-chain; leave it out\n"
      "tcp-chain: --check takes no value; write it by itself\n"
      "tcp-chain: --buffer needs a value; write --buffer SIZE\n"
      "tcp-chain: -q is given twice; give it once (try tcp-chain --help)\n");
}

TEST(Load, WhatWasUnderstoodIsJudgedAsAWholeToo) {
  struct Case {
    std::string text;
    Texts err;  // each behind the file's name
  };
  const std::vector<Case> cases = {
      // The name of a faulty line is known, so that of a slip is told, too, and so are two lines with one name.
      {"tcp-chain -l internal:mid -t a:0\ntcp-chain -l 1 -t internal:mid\ntcp-chain -l 2 -t internal:mdi",
       {":1:30: -t 'a:0': the port must be a number from 1 to 65535",
        ":3:19: nothing in this process listens on internal:mdi; did you mean internal:mid? otherwise run both lines "
        "under tun-run (this one, and one with -l internal:mdi), or link them by unix:PATH"}},
      {"tcp-chain -l internal:a -t a:0\ntcp-chain -l internal:a -t a:1",
       {":1:28: -t 'a:0': the port must be a number from 1 to 65535",
        ":2:14: a second listener is called a (the first is at "}},
      {"tcp-chain -l 1 -t a:0\ntcp-chain -l internal:a -t internal:a",
       {":1:19: -t 'a:0': the port must be a number from 1 to 65535", ":2:14: the lines go round in a circle: a -> a"}},
      // A name that could not be read may be any.
      {"tcp-chain -l interal:mid -t a:1\ntcp-chain -l 1 -t internal:mid", {":1:14: -l 'interal:mid': "}},
      {"tcp-chain -l ${GONE} -t a:1\ntcp-chain -l 1 -t internal:mid", {":1:14: the variable GONE is not set; "}},
      {"tcp-chian -l internal:mid -t a:1\ntcp-chain -l 1 -t internal:mid", {":1:1: a line begins with "}},
  };
  for (const Case& each : cases) {
    const TemporaryFile file("a.tun", each.text);
    const Typed typed = type(Program::tun_run, {file.path()});
    EXPECT_EQ(typed.status, 78);
    std::istringstream lines(typed.err);
    std::string line;
    for (const std::string& expected : each.err) {
      std::getline(lines, line);
      EXPECT_EQ(line.find("tun-run: " + file.path() + expected), 0U) << each.text << "\n" << typed.err;
    }
    EXPECT_FALSE(std::getline(lines, line)) << line;
  }
  const Typed typed = type(Program::tun_run, {"-e", "tcp-chain -l 1 -t internal:mid", "/nonexistent/a.tun"});
  EXPECT_EQ(typed.status, 66);
  EXPECT_EQ(typed.err.find("internal:mid"), std::string::npos) << typed.err;
}

TEST(Load, SourcesThatAreNone) {
  const std::vector<Refused> cases = {
      {Program::tun_run, {}, 64, "tun-run: nothing to run; name a FILE, or give -e 'COMMAND' or --envoy FILE\n"},
      {Program::tun_run,
       {"--check"},
       64,
       "tun-run: nothing to run; name a FILE, or give -e 'COMMAND' or --envoy FILE\n"},
      {Program::tun_run,
       {"-"},
       64,
       "tun-run: lines from standard input are not supported by this version; name a FILE\n"},
      {Program::tun_run,
       {"/nonexistent/a.tun"},
       66,
       "tun-run: cannot read the file '/nonexistent/a.tun' (No such file or directory); check its name and "
       "permissions\n"},
      {Program::tun_run,
       {"/"},
       66,
       "tun-run: cannot read the file '/' (Is a directory); check its name and permissions\n"},
      {Program::tun_run,
       {"-e", "tcp-chian"},
       64,
       "tun-run: -e#1:1:1: a line begins with tun-encap, tun-decap or tcp-chain, not 'tcp-chian', did you mean "
       "tcp-chain?\n"},
      {Program::tcp_chain,
       {"-l", "1", "-t", "respond:200:@/nonexistent/x"},
       66,
       "tcp-chain: -t: cannot read the file '/nonexistent/x' (No such file or directory); check its name and "
       "permissions\n"},
  };
  for (const Refused& each : cases) expect_refused(each);
}

TEST(Load, CheckSaysGoodAndRunsNothing) {
  const Typed alone = type(Program::tcp_chain, {"-l", "1", "-t", "a:1", "--check"});
  EXPECT_EQ(alone.status, 0);
  EXPECT_EQ(alone.out, "good: 1 listener, 1 cluster\n");
  EXPECT_EQ(alone.err, "");
  EXPECT_FALSE(alone.ran);
  const Typed together = type(Program::tun_run, {"--check", "-e", "tun-encap -l 1 -x h1:a:1 --target b:1 --http"});
  EXPECT_EQ(together.out, "good: 2 listeners, 2 clusters\n");
  EXPECT_FALSE(together.ran);
}

// A promise: a line without internal: is the same alone and under tun-run.
TEST(Promise, ALineIsTheSameAloneAndUnderTunRun) {
  struct Case {
    Program program;
    Texts alone;
    std::string line;
  };
  const std::vector<Case> cases = {
      {Program::tcp_chain, {"-l", "9999", "-t", "127.0.0.1:10000"}, "tcp-chain -l 9999 -t 127.0.0.1:10000"},
      {Program::tcp_chain,
       {"-l", "1", "-t", "respond:200:a b", "--name", "n"},
       "tcp-chain -l 1 -t 'respond:200:a b' --name n"},
      {Program::tun_encap,
       {"-l", "10000", "-x", "h2c:127.0.0.1:10001", "--target", "host.com:443", "--http"},
       "tun-encap -l 10000 -x h2c:127.0.0.1:10001 --target host.com:443 --http"},
      {Program::tun_encap,
       {"-l", "1", "-x", "h1:a:1", "--target", "b:1", "--max-conns", "3", "--buffer", "1M"},
       "tun-encap -l 1 -x h1:a:1 --target b:1 --max-conns 3 --buffer 1M"},
      {Program::tun_decap,
       {"-l", "10001", "--to", "respond:200:Hello, world!"},
       "tun-decap -l 10001 --to 'respond:200:Hello, world!'"},
      {Program::tun_decap,
       {"-l", "*:443", "--insecure-open", "--allow", "db.internal:5432", "--allow", "10.2.0.0/16:443"},
       "tun-decap -l '*:443' --insecure-open --allow db.internal:5432 --allow 10.2.0.0/16:443"},
      {Program::tun_decap,
       {"-l", "3128", "--allow", "*:443", "--access-log", "-"},
       "tun-decap -l 3128 --allow '*:443' --access-log -"},
  };
  for (const Case& each : cases) {
    const plan::Plan alone = plan_of(each.program, each.alone);
    const plan::Plan together = plan_of(Program::tun_run, {"-e", each.line});
    EXPECT_TRUE(alone.listeners == together.listeners) << each.line;
    EXPECT_TRUE(alone.clusters == together.clusters) << each.line;
  }
}

// Promises 4 and 5: a duplicate name, a name nobody serves and a cycle are refused with their places.
TEST(Promise, WhatCannotFitTogetherIsRefusedAtItsPlace) {
  const std::vector<Refused> cases = {
      {Program::tcp_chain,
       {"-l", "1", "-t", "internal:mid"},
       78,
       "tcp-chain: nothing in this process listens on internal:mid; run both lines under tun-run (this one, and one "
       "with -l internal:mid), or link them by unix:PATH\n"},
      {Program::tun_run,
       {"-e", "tcp-chain -l 1 -t internal:mdi", "-e", "tcp-chain -l internal:mid -t a:1"},
       78,
       "tun-run: -e#1:1:19: nothing in this process listens on internal:mdi; did you mean internal:mid? otherwise run "
       "both lines under tun-run (this one, and one with -l internal:mdi), or link them by unix:PATH\n"},
      {Program::tun_run,
       {"-e", "tcp-chain -l 1 -t a:1 --name n\ntun-decap -l 2 --to a:1 --name n"},
       78,
       "tun-run: -e#1:2:14: a second listener is called n (the first is at -e#1:1:14); give one of the lines another "
       "--name\n"
       "tun-run: -e#1:2:21: a second cluster is called n.to (the first is at -e#1:1:19); give one of the lines another "
       "--name\n"},
      {Program::tun_run,
       {"-e", "tcp-chain -l internal:a -t internal:b\ntun-decap -l internal:b --to internal:a"},
       78,
       "tun-run: -e#1:2:14: the lines go round in a circle: a -> b -> a; send one of them elsewhere\n"},
      {Program::tun_run,
       {"-e", "tun-encap -l internal:a -x h1+internal:a --target b:1 --http"},
       78,
       "tun-run: -e#1:1:55: the lines go round in a circle: a -> a.http -> a; send one of them elsewhere\n"},
  };
  for (const Refused& each : cases) expect_refused(each);
}

// Promise 8: tun-decap does not start without --to or --allow.
TEST(Promise, TunDecapNeedsToKnowWhereToGo) {
  EXPECT_EQ(type(Program::tun_decap, {"-l", "1"}).status, 64);
  EXPECT_EQ(type(Program::tun_run, {"-e", "tun-decap -l 1"}).status, 64);
  EXPECT_EQ(type(Program::tun_decap, {"-l", "1", "--to", "a:1"}).status, 0);
  EXPECT_EQ(type(Program::tun_decap, {"-l", "1", "--allow", "a:1"}).status, 0);
}

}  // namespace
}  // namespace tunnel::config
