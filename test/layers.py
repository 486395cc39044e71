#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads the #include lines: a layer of libtunnel includes only what stands below it. A link would not catch inline code.

layers.py             checks the tree: one line a violation, status 1 if there is any
layers.py --self-test proves that it finds what it looks for

Also told, as warnings: files of 400 lines or more, and programs whose main() file has more than 80.
"""
import os
import re
import sys

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
# What each layer may include besides itself; net and http stand side by side.
BELOW = {
    "base": (),
    "plan": ("base",),
    "stream": ("base", "plan"),
    "net": ("base", "plan", "stream"),
    "http": ("base", "plan", "stream"),
    "proxy": ("base", "plan", "stream", "net", "http"),
    "envoy": ("base", "plan"),
    "runtime": ("base", "plan", "stream", "net", "http", "proxy", "envoy"),
    "config": ("base", "plan", "stream", "net", "http", "proxy", "runtime", "envoy"),
}
# The layer each public header (libtunnel/include/tunnel) belongs to.
PUBLIC = {"address.hpp": "base", "buffer.hpp": "base", "error.hpp": "base", "loop.hpp": "base", "task.hpp": "base",
          "filter_state.hpp": "base", "plan.hpp": "plan", "stream.hpp": "stream", "connection_info.hpp": "base", "custom.hpp": "stream",
          "run.hpp": "runtime"}
# Layers that know no socket and no executor: what turns bytes into events, decides or configures. http gets its streams from a
# Dialer, proxy its sockets from net. Beast's parser and the buffer it includes are no sockets.
WITHOUT_SOCKETS = ("plan", "http", "proxy", "envoy", "config")
SOCKETS = re.compile(r"boost/asio(\.hpp|/(?!buffer\.hpp))|sys/(socket|epoll)\.h|netinet/|base/epoll_loop|stream/socket_stream")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LONG_FILE, LONG_MAIN = 400, 80


def violations_in(path, text):
    """`path` is relative to libtunnel/src, or "tunnel/…" for a public header; yields sentences."""
    public = path.startswith("tunnel/")
    layer = PUBLIC.get(path.split("/")[1], "runtime") if public else path.split("/")[0]
    where = f"libtunnel/include/{path}" if public else f"libtunnel/src/{path}"
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match[2]
        place = f"{where}:{number}: {target}:"
        first = target.split("/")[0]
        if target.startswith((".", "src/", "libtunnel/")):
            yield f"{place} write includes as \"layer/file.hpp\" or \"tunnel/file.hpp\""
        elif first in BELOW and "/" in target:
            if public:
                yield f"{place} a public header stands without the private ones: they are not installed"
            elif first != layer and first not in BELOW[layer]:
                yield f"{place} {layer} stands below {first} or beside it and must not include it"
        elif first == "tunnel":
            owner = PUBLIC.get(target.split("/", 1)[1])
            if owner is None:
                yield f"{place} no public header of that name is known to test/layers.py"
            elif owner != layer and owner not in BELOW[layer]:
                yield f"{place} {layer} must not know the {owner} layer's public header"
        if layer in WITHOUT_SOCKETS and SOCKETS.search(target):
            yield f"{place} {layer} knows no sockets and no executors"


def cpp_files(folder):
    for parent, _, names in sorted(os.walk(os.path.join(ROOT, folder))):
        yield from (os.path.join(parent, name) for name in sorted(names) if name.endswith((".hpp", ".cpp")))


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check_tree():
    violations, source = [], os.path.join(ROOT, "libtunnel", "src")
    files = list(cpp_files("libtunnel/src"))
    for path in files:
        relative = os.path.relpath(path, source)
        if relative.split("/")[0] not in BELOW:
            violations.append(f"libtunnel/src/{relative}: its folder is no layer known to test/layers.py")
        else:
            violations += violations_in(relative, read(path))
    public = list(cpp_files("libtunnel/include"))
    for path in public:
        violations += violations_in(os.path.relpath(path, os.path.join(ROOT, "libtunnel", "include")), read(path))
    for path in files + public + list(cpp_files("tools")) + list(cpp_files("test")):
        lines = read(path).count("\n")
        name = os.path.relpath(path, ROOT)
        if lines >= LONG_FILE:
            print(f"warning: {name} has {lines} lines")
        elif re.fullmatch(r"tools/(tun|tcp)-\w+\.cpp", name) and lines > LONG_MAIN:
            print(f"warning: {name} has {lines} lines; a main() has at most {LONG_MAIN}")
    print("\n".join(violations) or f"layers: {len(files) + len(public)} files, every include points down")
    return 1 if violations or not files else 0


def self_test():
    bad = (("base/cancel.hpp", '#include "tunnel/stream.hpp"'), ("net/listener.cpp", '#include "http/exchange.hpp"'),
           ("http/pool.cpp", '#include "net/connector.hpp"'), ("http/exchange.hpp", '#include "proxy/router.hpp"'),
           ("runtime/worker.cpp", '# include "config/parse.hpp"'), ("stream/pump.cpp", '#include "../base/task.hpp"'),
           ("http/h1_codec.cpp", "#include <boost/asio/ip/tcp.hpp>"), ("proxy/tcp_proxy.hpp", "#include <boost/asio.hpp>"),
           ("http/h2_session.cpp", '#include "stream/socket_stream.hpp"'), ("config/value.cpp", "#include <sys/socket.h>"),
           ("base/cancel.hpp", '#include "tunnel/run.hpp"'), ("proxy/http_proxy.cpp", '#include "tunnel/unknown.hpp"'),
           ("tunnel/stream.hpp", '#include "base/limits.hpp"'), ("tunnel/loop.hpp", '#include "tunnel/stream.hpp"'))
    good = (("proxy/http_proxy.cpp", '#include "http/exchange.hpp"\n#include "net/connector.hpp"\n#include "tunnel/plan.hpp"'),
            ("http/h1_codec.cpp", "#include <boost/asio/buffer.hpp>\n#include <boost/beast/http/basic_parser.hpp>"),
            ("stream/socket.cpp", '#include <boost/asio/ip/tcp.hpp>\n#include "tunnel/loop.hpp"'),
            ("base/cancel.hpp", '// #include "stream/stream.hpp"'))
    missed = [sample for sample in bad if not list(violations_in(*sample))]
    wrong = [sample for sample in good if list(violations_in(*sample))]
    for sample in missed:
        print(f"self-test: not found: {sample}")
    for sample in wrong:
        print(f"self-test: wrongly found: {sample}")
    return 1 if missed or wrong else 0


if __name__ == "__main__":
    sys.exit(self_test() if sys.argv[1:] == ["--self-test"] else check_tree())
