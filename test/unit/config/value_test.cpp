// SPDX-License-Identifier: Apache-2.0
// Values of options: addresses, rules, times, sizes, numbers.
#include "config/value.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/address.hpp"
#include "config/header.hpp"
#include "config/refusal.hpp"
#include "config/rule.hpp"
#include "unit/config/typed.hpp"

namespace tunnel::config {
namespace {

using namespace std::chrono_literals;

Given given(Opt id, const std::string& value) { return {&option(id), value, {"t.tun", 1, 1}}; }

template <class Parse>
std::string refusal(Parse parse, const std::string& value) {
  try {
    parse(value);
  } catch (const Refusal& refused) {
    return refused.what();
  }
  return "accepted";
}

struct Refused {
  std::string value;
  std::string text;
};

TEST(Value, Times) {
  const auto parse = [](const std::string& value) { return parse_duration(given(Opt::idle_timeout, value), 1ms); };
  EXPECT_EQ(parse("500ms"), 500ms);
  EXPECT_EQ(parse("10s"), 10s);
  EXPECT_EQ(parse("10"), 10s);
  EXPECT_EQ(parse("5m"), 5min);
  EXPECT_EQ(parse("1h"), 1h);
  EXPECT_EQ(parse("8760h"), 8760h);
  for (const char* bad :
       {"", "s", "1d", "1 s", "-1s", "+1s", "1.5s", "1S", "1s1s", "99999999999999999999", "18446744073709551615h"}) {
    EXPECT_EQ(refusal(parse, bad), "--idle-timeout '" + std::string(bad) +
                                       "': give a time such as 500ms, 10s, 5m or 1h; a plain number is seconds");
  }
  EXPECT_EQ(refusal(parse, "0"), "--idle-timeout '0': give a time from 1ms to 8760h");
  EXPECT_EQ(refusal(parse, "8761h"), "--idle-timeout '8761h': give a time from 1ms to 8760h");
  EXPECT_EQ(parse_duration(given(Opt::drain, "0"), 0ms), 0ms);
}

TEST(Value, Sizes) {
  const auto parse = [](const std::string& value) { return parse_size(given(Opt::buffer, value), 1024, 8388608); };
  EXPECT_EQ(parse("65536"), 65536U);
  EXPECT_EQ(parse("64K"), 65536U);
  EXPECT_EQ(parse("1M"), 1048576U);
  EXPECT_EQ(parse("1K"), 1024U);
  EXPECT_EQ(parse("8M"), 8388608U);
  for (const char* bad : {"", "K", "64k", "64KB", "1T", "1.5M", "-1K", " 1K", "18446744073709551615K"}) {
    EXPECT_EQ(refusal(parse, bad),
              "--buffer '" + std::string(bad) + "': give a size in bytes, or such as 64K, 1M or 2G");
  }
  for (const char* bad : {"0", "1023", "9M", "8388609"}) {
    EXPECT_EQ(refusal(parse, bad), "--buffer '" + std::string(bad) + "': give a size from 1K to 8M");
  }
}

TEST(Value, SizesOfMemory) {
  const auto parse = [](const std::string& value) {
    return parse_size(given(Opt::mem_limit, value), std::size_t{1} << 20, std::size_t{1} << 40);
  };
  EXPECT_EQ(parse("512M"), 536870912U);
  EXPECT_EQ(parse("2G"), 2147483648U);
  EXPECT_EQ(parse("1024G"), std::size_t{1} << 40);
  for (const char* bad : {"0", "1023K", "1025G"})
    EXPECT_EQ(refusal(parse, bad), "--mem-limit '" + std::string(bad) + "': give a size from 1M to 1024G");
}

TEST(Value, Numbers) {
  const auto parse = [](const std::string& value) { return parse_number(given(Opt::workers, value), 1, 1024); };
  EXPECT_EQ(parse("1"), 1U);
  EXPECT_EQ(parse("1024"), 1024U);
  for (const char* bad : {"", "0", "1025", "-1", "+1", "1 ", "0x1", "two", "99999999999999999999"}) {
    EXPECT_EQ(refusal(parse, bad), "--workers '" + std::string(bad) + "': give a number from 1 to 1024");
  }
}

TEST(Value, Limits) {
  const auto parse = [](const std::string& value) { return parse_limit(given(Opt::limit, value)); };
  EXPECT_EQ(parse("hops=3"), (plan::Limit{"hops", 3}));
  const std::vector<Refused> refused = {
      {"hops", "--limit 'hops': write hops=N, N a number"},
      {"hops=", "--limit 'hops=': write hops=N, N a number"},
      {"head=16K", "--limit 'head=16K': write head=N, N a number of bytes"},
      {"hops=0", "--limit 'hops=0': the limit hops goes from 1 to 1000, not 0"},
      {"hop=1", "--limit 'hop=1': there is no limit called 'hop', did you mean hops?"},
      {"per-source=1", "--limit 'per-source=1': there is no limit called 'per-source'"},
      {"", "--limit '': there is no limit called ''"},
  };
  for (const Refused& each : refused) EXPECT_EQ(refusal(parse, each.value), each.text);
}

TEST(Value, LogFormats) {
  const auto parse = [](const std::string& value) { return parse_log_format(given(Opt::log_format, value)); };
  EXPECT_EQ(parse("text"), plan::LogFormat::text);
  EXPECT_EQ(parse("logfmt"), plan::LogFormat::logfmt);
  EXPECT_EQ(parse("json"), plan::LogFormat::json);
  EXPECT_EQ(refusal(parse, "jsn"), "--log-format 'jsn': give text, logfmt or json, did you mean json?");
}

TEST(Address, Listen) {
  const auto parse = [](const std::string& value) { return parse_listen(given(Opt::listen, value)).address; };
  const std::vector<std::pair<std::string, plan::Address>> good = {
      {"9999", plan::Tcp{"", 9999}},
      {"tcp:9999", plan::Tcp{"", 9999}},
      {"localhost:9999", plan::Tcp{"", 9999}},
      {"*:9999", plan::Tcp{"*", 9999}},
      {"tcp:*:9999", plan::Tcp{"*", 9999}},
      {"127.0.0.2:1", plan::Tcp{"127.0.0.2", 1}},
      {"tcp:10.0.0.1:1", plan::Tcp{"10.0.0.1", 1}},
      {"[::1]:65535", plan::Tcp{"::1", 65535}},
      {"internal:mid", plan::Internal{"mid", ""}},
      {"unix:/run/a.sock", plan::Unix{"/run/a.sock", 0600}},
      {"unix:a.sock,mode=660", plan::Unix{"a.sock", 0660}},
      {"unix:/a,,b,mode=0666", plan::Unix{"/a,b", 0666}},
      {"unix:@name", plan::Unix{"@name", 0600}},
      {"unix:./@name,mode=000", plan::Unix{"./@name", 0}},
      {"fd:0", plan::Inherited{0, ""}},
      {"fd:3", plan::Inherited{3, ""}},
      {"systemd:web.socket", plan::Inherited{-1, "web.socket"}},
      {"systemd:3", plan::Inherited{-1, "3"}},
      {"tcp:*:1", plan::Tcp{"*", 1}},
      {"-", plan::Stdio{}},
  };
  for (const auto& [value, address] : good) EXPECT_EQ(parse(value), address) << value;
  const std::string absent = " is not supported by this version; use [HOST:]PORT or internal:NAME";
  const std::vector<Refused> refused = {
      {"0", "a port is a number from 1 to 65535"},
      {"65536", "a port is a number from 1 to 65535"},
      {"", "a port is a number from 1 to 65535"},
      {"*:0", "the port must be a number from 1 to 65535"},
      {"unix:", "the path is missing"},
      {"unix:@", "the name after '@' is missing"},
      {"unix:/run/", "the path names a folder; add the name of the socket"},
      {"unix:/a,b", "this address has no option 'b', it takes mode, streams"},
      {"unix:/a,mod=660", "this address has no option 'mod', did you mean mode?"},
      {"unix:@a,mode=660", "an abstract socket has no file and so no mode; leave it out, or write a path"},
      {"fd:", "a descriptor is a number, such as fd:3"},
      {"fd:-1", "a descriptor is a number, such as fd:3"},
      {"fd:99999999", "a descriptor is a number, such as fd:3"},
      {"fd:3,mode=660", "this address has no option 'mode', it takes streams"},
      {"9999,stream=5", "this address has no option 'stream', did you mean streams?"},
      {"9999,streams", "'streams' needs a value; write streams=VALUE"},
      {"systemd:", "the name is missing; FileDescriptorName= of the .socket unit gives it"},
      {"systemd:a:b", "a name of a socket is printable ASCII without spaces and ':'"},
      {"unxi:/run/a", "the port must be a number from 1 to 65535, not '/run/a', did you mean unix:?"},
      {"tls:1", "tls:" + absent},
      {"echo:", "echo: gives an answer, nobody can listen on it; use [HOST:]PORT or internal:NAME"},
      {"respond:200:x", "respond: gives an answer, nobody can listen on it; use [HOST:]PORT or internal:NAME"},
      {"internal:", "a name is missing"},
      {"internal:a b", "' ' cannot be part of a name; use letters, digits, '-', '_' and '.'"},
      {"internal:a/1", "a listener has no endpoint id; write internal:a"},
      {"interal:mid", "the port must be a number from 1 to 65535, not 'mid', did you mean internal:?"},
      {"a.example:80", "listen on an address of this machine, on PORT for loopback or on *:PORT for every interface"},
      {"9999,mode=660", "this address has no option 'mode', it takes streams"},
      {"::1:80", "put the IPv6 address in brackets; write [ADDRESS]:PORT"},
  };
  for (const Refused& each : refused) EXPECT_EQ(refusal(parse, each.value), "-l '" + each.value + "': " + each.text);
}

TEST(Address, ListensForSoManyStreams) {
  const auto parse = [](const std::string& value) { return parse_listen(given(Opt::listen, value)); };
  for (const char* address : {"9999", "*:9999", "unix:/a", "internal:mid", "fd:3", "systemd:web"}) {
    EXPECT_EQ(parse(address).streams, 0U) << address;
    const Listen listen = parse(std::string(address) + ",streams=250");
    EXPECT_EQ(listen.streams, 250U) << address;
    EXPECT_EQ(listen.address, parse(address).address);
  }
  EXPECT_EQ(parse("unix:/a,streams=3,mode=660").address, plan::Address(plan::Unix{"/a", 0660}));
  for (const char* bad : {"0", "1000001", "-1", "many"})
    EXPECT_EQ(refusal(parse, "1,streams=" + std::string(bad)),
              "-l 'streams=" + std::string(bad) + "': give a number from 1 to 1000000");
}

TEST(Address, ModesAreOctal) {
  const auto parse = [](const std::string& value) { return parse_listen(given(Opt::listen, "unix:/a,mode=" + value)); };
  for (const char* bad : {"6", "66", "800", "6600", "1777", "0o66", "rw-", "+66", "66 ", "77777777777777777777"}) {
    EXPECT_EQ(refusal(parse, bad),
              "-l 'mode=" + std::string(bad) + "': give permissions in octal, such as 600, 660 or 666");
  }
  EXPECT_EQ(refusal(parse, ""), "-l 'unix:/a,mode=': 'mode' needs a value; write mode=VALUE");
}

TEST(Address, Dial) {
  const auto parse = [](const std::string& value) { return parse_dial(given(Opt::to, value)); };
  const std::vector<std::pair<std::string, Dial>> good = {
      {"127.0.0.1:10000", plan::Endpoint{plan::Tcp{"127.0.0.1", 10000}}},
      {"a.example:1", plan::Endpoint{plan::Tcp{"a.example", 1}}},
      {"tcp:a:1", plan::Endpoint{plan::Tcp{"a", 1}}},
      {"tcp:echo:7", plan::Endpoint{plan::Tcp{"echo", 7}}},
      {"[::1]:80", plan::Endpoint{plan::Tcp{"::1", 80}}},
      {"internal:mid", plan::Endpoint{plan::Internal{"mid", ""}}},
      {"internal:mid/10.1.2.3:80", plan::Endpoint{plan::Internal{"mid", "10.1.2.3:80"}}},
      {"internal:mid/7,meta.a.b.c=d,,e,meta.x.y= ",
       plan::Endpoint{plan::Internal{"mid", "7"}, {{"a.b", "c", "d,e"}, {"x", "y", " "}}}},
      {"internal:mid/a,,b", plan::Endpoint{plan::Internal{"mid", "a,b"}}},
      {"unix:/run/a.sock", plan::Endpoint{plan::Unix{"/run/a.sock"}}},
      {"unix:a,,b", plan::Endpoint{plan::Unix{"a,b"}}},
      {"unix:@name", plan::Endpoint{plan::Unix{"@name"}}},
      {"echo:", plan::Echo{}},
      {"discard:", plan::Discard{}},
      {"respond:200:Hello, world!", plan::Respond{200, "Hello, world!\n"}},
      {"respond:404:a:b,,c", plan::Respond{404, "a:b,,c\n"}},
      {"respond:200:", plan::Respond{200, "\n"}},
      {"respond:204:", plan::Respond{204, ""}},
      {"respond:599:\xc3\xa9\n", plan::Respond{599, "\xc3\xa9\n\n"}},
  };
  for (const auto& [value, dial] : good) EXPECT_EQ(parse(value), dial) << value;
  const std::vector<Refused> refused = {
      {"10000", "the host is missing; write 127.0.0.1:10000"},
      {"tcp:10000", "the host is missing; write 127.0.0.1:10000"},
      {"", "the port is missing; write HOST:PORT"},
      {"a:0", "the port must be a number from 1 to 65535, not '0'"},
      {"http://a:1", "a URL is not an address; write HOST:PORT"},
      {"tls:a:1", "tls: is not supported by this version; use [HOST:]PORT or internal:NAME"},
      {"unix:", "the path is missing"},
      {"unix:/x,mode=660", "this address has no option 'mode', it takes none; a comma of the address itself is ',,'"},
      {"fd:3", "fd: is a socket to listen on; connect to HOST:PORT, unix:PATH or internal:NAME"},
      {"systemd:web", "systemd: is a socket to listen on; connect to HOST:PORT, unix:PATH or internal:NAME"},
      {"a:1,conns=4", "this address has no option 'conns', it takes none; a comma of the address itself is ',,'"},
      {"a:1,", "after a ',' comes KEY=VALUE; a comma of the address itself is ',,'"},
      {"internal:m,mode=660", "this address has no option 'mode', it takes meta.SPACE.KEY"},
      {"a:1,meta.a.b=c", "this address has no option 'meta.a.b', it takes none; a comma of the address itself is ',,'"},
      {"internal:m/", "the endpoint id after '/' is missing; write it or leave out the '/'"},
      {"internal:m/a b", "an endpoint id is visible ASCII without spaces"},
      {"echo:7", "echo: takes nothing after it; a host called echo is tcp:echo:PORT"},
      {"discard:x", "discard: takes nothing after it; a host called discard is tcp:discard:PORT"},
      {"respond:", "the status must be a number from 200 to 599; write respond:200:TEXT"},
      {"respond:20:x", "the status must be a number from 200 to 599; write respond:200:TEXT"},
      {"respond:100:x", "the status must be a number from 200 to 599; write respond:200:TEXT"},
      {"respond:600:x", "the status must be a number from 200 to 599; write respond:200:TEXT"},
      {"respond:+20:x", "the status must be a number from 200 to 599; write respond:200:TEXT"},
      {"respond:200", "the text is missing; write respond:200:TEXT"},
      {"respond:204:x", "an answer 204 has no body; write respond:204:"},
      {"respnd:200:x", "there is one ':' too many; write HOST:PORT, did you mean respond:?"},
      {"ecko:", "the port must be a number from 1 to 65535, not '', did you mean echo:?"},
  };
  for (const Refused& each : refused) EXPECT_EQ(refusal(parse, each.value), "-t '" + each.value + "': " + each.text);
  EXPECT_EQ(refusal(parse, "internal:m,meta.a=b"), "-t 'meta.a=b': write meta.SPACE.KEY=VALUE");
  EXPECT_EQ(refusal(parse, "internal:m,meta.a.=b"), "-t 'meta.a.=b': write meta.SPACE.KEY=VALUE");
  EXPECT_EQ(refusal(parse, "internal:m,meta.a.b=\n"),
            "-t 'meta.a.b=\\x0a': a value of metadata has a control character in it");
  EXPECT_EQ(refusal(parse, "internal:m,meta.envoy.filters.listener.original_dst.local=a:1"),
            "-t 'meta.envoy.filters.listener.original_dst.local=a:1': 'a:1' is no IP:PORT to go to");
}

TEST(Address, RespondReadsAFileToItsLastByte) {
  const std::string bytes = std::string("a\0b\r\n", 5) + std::string(200000, 'x');
  const TemporaryFile file("body", bytes);
  EXPECT_EQ(parse_dial(given(Opt::to, "respond:200:@" + file.path())), Dial(plan::Respond{200, bytes}));
  const TemporaryFile empty("body", "");
  EXPECT_EQ(parse_dial(given(Opt::to, "respond:200:@" + empty.path())), Dial(plan::Respond{200, ""}));
}

TEST(Address, RespondRefusesAFileItCannotRead) {
  for (const char* file : {"/nonexistent/body", "/", "/dev/zero"}) {
    try {
      parse_dial(given(Opt::to, "respond:200:@" + std::string(file)));
      ADD_FAILURE() << file;
    } catch (const Refusal& refused) {
      EXPECT_EQ(refused.status_or(0), kNoInput);
      EXPECT_NE(std::string(refused.what()).find("'" + std::string(file) + "'"), std::string::npos) << refused.what();
    }
  }
}

TEST(Address, Proxy) {
  const auto parse = [](const std::string& value) { return parse_proxy(given(Opt::proxy, value)); };
  struct Good {
    std::string value;
    plan::Http protocol;
    plan::Address address;
  };
  const std::vector<Good> good = {
      {"h1:px:3128", plan::Http::h1, plan::Tcp{"px", 3128}},
      {"h2c:127.0.0.1:10001", plan::Http::h2, plan::Tcp{"127.0.0.1", 10001}},
      {"h2c:[::1]:1", plan::Http::h2, plan::Tcp{"::1", 1}},
      {"h1+internal:up", plan::Http::h1, plan::Internal{"up", ""}},
      {"h2c+internal:up/7", plan::Http::h2, plan::Internal{"up", "7"}},
      {"h1+tcp:px:1", plan::Http::h1, plan::Tcp{"px", 1}},
      {"h2c+px:1", plan::Http::h2, plan::Tcp{"px", 1}},
      {"h1:tcp:1", plan::Http::h1, plan::Tcp{"tcp", 1}},
      {"h1:unix:80", plan::Http::h1, plan::Tcp{"unix", 80}},
      {"h1+unix:/run/px.sock", plan::Http::h1, plan::Unix{"/run/px.sock"}},
      {"h2c+unix:@px", plan::Http::h2, plan::Unix{"@px"}},
  };
  for (const Good& each : good) {
    const Proxy proxy = parse(each.value);
    EXPECT_EQ(proxy.protocol, each.protocol) << each.value;
    EXPECT_EQ(proxy.endpoint.address, each.address) << each.value;
  }
  const std::string which = "say which HTTP the proxy speaks, h1:HOST:PORT or h2c:HOST:PORT";
  const std::vector<Refused> refused = {
      {"127.0.0.1:3128", which},
      {"h1", which},
      {"", which},
      {"h3:a:1", which + ", did you mean h1?"},
      {"https:a:1", "TLS to a proxy (https) is not supported by this version; use h1 or h2c"},
      {"h2:a:1", "TLS to a proxy (h2) is not supported by this version; use h1 or h2c"},
      {"h1s+a:1", "TLS to a proxy (h1s) is not supported by this version; use h1 or h2c"},
      {"h1:a", "the port is missing; write HOST:PORT"},
      {"h1+respond:200:x", "a proxy is reached at HOST:PORT, unix:PATH or internal:NAME"},
      {"h2c+echo:", "a proxy is reached at HOST:PORT, unix:PATH or internal:NAME"},
      {"h1:unix:/run/px", "a '+' leads to what is no HOST:PORT; write h1+unix:/run/px"},
      {"h2c:internal:up", "a '+' leads to what is no HOST:PORT; write h2c+internal:up"},
      {"h1+fd:3", "fd: is a socket to listen on; connect to HOST:PORT, unix:PATH or internal:NAME"},
      {"h2c:a:1,conn=2", "this address has no option 'conn', did you mean conns?"},
      {"http://px:3128", "a URL is not an address; write h1:px:3128"},
      {"http://px:3128/", "a URL is not an address; write h1:px:3128"},
  };
  for (const Refused& each : refused) EXPECT_EQ(refusal(parse, each.value), "-x '" + each.value + "': " + each.text);
  // A password that was typed is not repeated.
  for (const char* const value :
       {"h1:me:secret@px:3128", "h2c:me@px:3128", "h1:px:3128,user=me,pass-file=/secret",
        "h1:px:3128,pass-file=/secret", "http://me:secret@px:3128", "http:me:secret@px", "h1+http://me:secret@px:3128"})
    EXPECT_EQ(refusal(parse, value),
              "-x: credentials are no part of a proxy's address in this version; give them with --header "
              "'Proxy-Authorization: @FILE'");
}

TEST(Address, PoolOfAProxy) {
  const auto parse = [](const std::string& value) { return parse_proxy(given(Opt::proxy, value)); };
  EXPECT_EQ(parse("h2c:a:1").pool, plan::Pool{});
  const plan::Pool full{4, 50, 2, plan::Milliseconds(30'000), plan::Milliseconds(300'000), 4194304};
  EXPECT_EQ(parse("h2c:a:1,conns=4,streams=50,prewarm=2,ping=30s,idle=5m,window=4M").pool, full);
  EXPECT_EQ(parse("h2c+internal:up,ping=0").pool.ping, plan::Milliseconds(0));
  const plan::Pool few{.connections = 2, .prewarm = 2, .idle = plan::Milliseconds(10)};
  EXPECT_EQ(parse("h1:a:1,prewarm=2,idle=10ms,conns=2").pool, few);
  const std::string only_h2 =
      "HTTP/1.1 has no streams, pings or windows; leave it out, or use h2c: if the proxy speaks it";
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"h1:a:1,streams=5", "-x 'streams=5': " + only_h2},
      {"h1:a:1,ping=5s", "-x 'ping=5s': " + only_h2},
      {"h1+internal:up,window=1M", "-x 'window=1M': " + only_h2},
      {"h2c:a:1,conns=0", "-x 'conns=0': give a number from 1 to 10000"},
      {"h2c:a:1,conns=2,prewarm=3",
       "-x 'prewarm=3': more than conns= allows cannot be kept ready; raise conns= or lower prewarm="},
      {"h2c:a:1,window=1K", "-x 'window=1K': give a size from 64K to 1G"},
      {"h2c:a:1,idle=0", "-x 'idle=0': give a time from 1ms to 8760h"},
  };
  for (const auto& [value, text] : refused) EXPECT_EQ(refusal(parse, value), text);
}

TEST(Address, Target) {
  const auto parse = [](const std::string& value) { return parse_target(given(Opt::target, value)); };
  EXPECT_EQ(parse("host.com:443"), "host.com:443");
  EXPECT_EQ(parse("[2001:db8::1]:443"), "[2001:db8::1]:443");
  EXPECT_EQ(parse("::1:22"), "[::1]:22") << "ssh's %h:%p";
  EXPECT_EQ(parse("2001:db8:0:0:0:0:0:1:443"), "[2001:db8:0:0:0:0:0:1]:443");
  for (const char* bad : {"host.com", "a:0", "a:99999", "u@a:1", "[::1", "a:1:2", "a:1\r\nX: y", "a b:1", "a\t:1",
                          "tcp:a:1", "::1", "::1:022", "::1:99999", "fe80::1%eth0:22"}) {
    EXPECT_NE(refusal(parse, bad), "accepted") << bad;
  }
  for (const char* taken : {"@authority", "@endpoint", "@orig-dst", "%DYNAMIC_METADATA(a:b)%",
                            "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%:80"})
    EXPECT_EQ(parse(taken), taken);
  EXPECT_EQ(parse("%DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID%"), "@endpoint");
  EXPECT_EQ(
      refusal(parse, "%DOWNSTREAM_LOCAL_ADDRESS%"),
      "--target '%DOWNSTREAM_LOCAL_ADDRESS%': the address a connection was accepted on would lead a tunnel back here; "
      "of a redirected one @orig-dst is where it wanted to go");
  EXPECT_EQ(refusal(parse, "%DYNAMIC_METADATA(a:b)"),
            "--target '%DYNAMIC_METADATA(a:b)': a % begins an operator that has no end; write %% for a percent sign");
  EXPECT_EQ(
      refusal(parse, "%DYNAMIC_METADATA(a)%"),
      "--target '%DYNAMIC_METADATA(a)%': '%DYNAMIC_METADATA(a)%' names no value; write %DYNAMIC_METADATA(SPACE:KEY)%");
  EXPECT_EQ(refusal(parse, "@sni"),
            "--target '@sni': the host a TLS client asks for is %REQUESTED_SERVER_NAME%; write it with a port");
  EXPECT_EQ(refusal(parse, "@endpont"),
            "--target '@endpont': what is taken from the connection is called @authority, @endpoint or @orig-dst, did "
            "you mean @endpoint?");
}

TEST(Header, ReadsNameAndValue) {
  const auto parse = [](const std::string& value) { return parse_header(given(Opt::header, value)); };
  EXPECT_EQ(parse("X-Token: a b"), (plan::Header{"x-token", "a b", false}));
  EXPECT_EQ(parse("x:\t a:b \t"), (plan::Header{"x", "a:b", false}));
  EXPECT_EQ(parse("x:"), (plan::Header{"x", "", false}));
  EXPECT_EQ(parse("x: @@a"), (plan::Header{"x", "@a", false}));
  const TemporaryFile file("secret", "Basic bWU6cHc=\r\n");
  EXPECT_EQ(parse("Proxy-Authorization: @" + file.path()),
            (plan::Header{"proxy-authorization", "Basic bWU6cHc=", true}));
}

TEST(Header, OperatorsMakeAFormat) {
  const auto parse = [](const std::string& value) { return parse_header(given(Opt::header, value)); };
  for (const char* text : {"%DOWNSTREAM_REMOTE_ADDRESS%", "a %DYNAMIC_METADATA(a.b:c):9% 50%%"})
    EXPECT_EQ(parse(std::string("x: ") + text), (plan::Header{"x", text, false, true})) << text;
  for (const char* text : {"100%", "50%%", "a%20b%2F", "%AB%CD"})
    EXPECT_EQ(parse(std::string("x: ") + text), (plan::Header{"x", text, false, false})) << text;
  const TemporaryFile file("operators", "%DOWNSTREAM_REMOTE_ADDRESS%");
  EXPECT_FALSE(parse("x: @" + file.path()).format);
  EXPECT_EQ(refusal(parse, "x: %DOWNSTREAM_REMOTE_ADRESS%"),
            "--header x: '%DOWNSTREAM_REMOTE_ADRESS%' is not supported by this version, did you mean "
            "DOWNSTREAM_REMOTE_ADDRESS?");
  EXPECT_EQ(refusal(parse, "x: %DYNAMIC_METADATA(a)%"),
            "--header x: '%DYNAMIC_METADATA(a)%' names no value; write %DYNAMIC_METADATA(SPACE:KEY)%");
}

TEST(Header, Refusals) {
  const auto parse = [](const std::string& value) { return parse_header(given(Opt::header, value)); };
  EXPECT_EQ(refusal(parse, "x"), "--header 'x': the colon is missing; write 'NAME: VALUE'");
  EXPECT_EQ(refusal(parse, ":path: /"), "--header ':path' belongs to HTTP/2 itself and cannot be set");
  EXPECT_EQ(refusal(parse, "Host: a"), "--header host depends on the connection or the body and cannot be set");
  EXPECT_EQ(refusal(parse, "x : a"), "--header ' ' cannot be part of a field's name");
  EXPECT_EQ(refusal(parse, "x: a\r\ny: b"), "--header x: the value has a control character in it");
  EXPECT_EQ(refusal(parse, "Proxy-Authorization: Basic c2VjcmV0"),
            "--header proxy-authorization: its value is a secret and does not belong on a command line; write it to a "
            "file and give 'proxy-authorization: @FILE'");
  EXPECT_NE(refusal(parse, "x: @/nowhere/at/all"), "accepted");
  const TemporaryFile two("lines", "a\nb\n");
  EXPECT_EQ(refusal(parse, "x: @" + two.path()), "--header x: the value has a control character in it");
}

TEST(Rule, ReadsHostsNetworksAndPorts) {
  const auto parse = [](const std::string& value) { return parse_rule(given(Opt::allow, value), true); };
  const std::vector<std::pair<std::string, plan::Rule>> good = {
      {"db.internal:5432", {true, "db.internal", 5432, 5432}},
      {"tcp:db:1", {true, "db", 1, 1}},
      {"*:443", {true, "*", 443, 443}},
      {"*.example.com:80-90", {true, "*.example.com", 80, 90}},
      {"db-*.example:1", {true, "db-*.example", 1, 1}},
      {"localhost:1-65535", {true, "localhost", 1, 65535}},
      {"10.2.0.0/16:443", {true, "10.2.0.0/16", 443, 443}},
      {"0.0.0.0/0:1", {true, "0.0.0.0/0", 1, 1}},
      {"127.0.0.1:8080", {true, "127.0.0.1", 8080, 8080}},
      {"127.0.0.1/32:8080", {true, "127.0.0.1/32", 8080, 8080}},
      {"[2001:db8::]/32:443", {true, "2001:db8::/32", 443, 443}},
      {"[::1]:1", {true, "::1", 1, 1}},
      {"[::]/0:1-2", {true, "::/0", 1, 2}},
  };
  for (const auto& [value, rule] : good) EXPECT_EQ(parse(value), rule) << value;
  EXPECT_FALSE(parse_rule(given(Opt::deny, "a:1"), false).allow);
  const std::string port = "a port is a number from 1 to 65535; every port is 1-65535";
  const std::string missing = "the port is missing; write HOST:PORT or HOST:PORT-PORT, every port is 1-65535";
  const std::vector<Refused> refused = {
      {"a", missing},
      {"10.0.0.0/8", missing},
      {"[::1]", missing},
      {"", missing},
      {"a:", port},
      {"a:0", port},
      {"a:65536", port},
      {"a:*", port},
      {"a:1-", port},
      {"a:-1", port},
      {"a:1-2-3", port},
      {"a:2-1", "the ports run backwards; write the lower one first"},
      {":1", "the host is missing; write HOST:PORT or HOST:PORT-PORT"},
      {"2001:db8::/32:443", "there is one ':' too many; put an IPv6 address in brackets, as in [2001:db8::]/32:443"},
      {"[::1:443", "the ']' after the IPv6 address is missing"},
      {"[a]:443", "'a' is not an IPv6 address"},
      {"[fe80::1%lo]:443", "'fe80::1%lo' is not an IPv6 address"},
      {"[::1]x:443", "after ']' comes /BITS or ':' and the port"},
      {"a.example/8:1", "only an address can have a prefix length after '/'"},
      {"10.0.0.0/33:1", "the prefix length goes from 0 to 32"},
      {"10.0.0.0/:1", "the prefix length goes from 0 to 32"},
      {"10.0.0.0/-1:1", "the prefix length goes from 0 to 32"},
      {"[::]/129:1", "the prefix length goes from 0 to 128"},
      {"10.2.3.4/16:1-2", "the address has bits beyond its prefix; write 10.2.0.0/16:1-2"},
      {"[2001:db8::1]/32:1", "the address has bits beyond its prefix; write [2001:db8::]/32:1"},
      {"10.*:1", "a '*' does not go with an address; write a network as 10.0.0.0/8"},
      {"*.*:1", "a '*' does not go with an address; write a network as 10.0.0.0/8"},
      {"a?.example:1", "'?' cannot be part of it"},
      {"*.1.2.3.4:1", "a '*' does not go with an address; write a network as 10.0.0.0/8"},
      {"a b:1", "' ' cannot be part of it"},
      {"127.1:1", "an IPv4 address is four numbers from 0 to 255"},
  };
  for (const Refused& each : refused)
    EXPECT_EQ(refusal(parse, each.value), "--allow '" + each.value + "': " + each.text);
}

}  // namespace
}  // namespace tunnel::config
