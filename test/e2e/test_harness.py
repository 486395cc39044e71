# SPDX-License-Identifier: Apache-2.0
"""The harness itself: a program that leaks, lies or dies must make its test fail."""
import os
import stat

from lib import program
from lib.compare import differences
from lib.program import ports_of

FAKE = """#!/usr/bin/python3
import json, os, signal, socket, sys
gauges = dict.fromkeys(%r, 0)
gauges.update(json.loads(os.environ.get("FAKE_GAUGES", "{}")))
signal.signal(signal.SIGUSR2, lambda *_: print(json.dumps({"counters": {}, "gauges": gauges}), file=sys.stderr, flush=True))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(int(os.environ.get("FAKE_STATUS", "0"))))
listener = socket.create_server(("127.0.0.1", int(sys.argv[2])))
print(os.environ.get("FAKE_SAYS", ""), file=sys.stderr, flush=True)
while True:
    signal.pause()
"""


def fake(t, **env):
    path = t.write("fake", FAKE % (program.ALIVE_GAUGES,))
    os.chmod(path, stat.S_IRWXU)
    port = t.port()
    tool = program.Tool(t.tmp, "fake", ["-l", str(port)], env=env)
    return tool.wait_listening()


def fails(action, part):
    try:
        action()
    except AssertionError as error:
        assert part in str(error), error
        return
    raise AssertionError(f"this should have failed with {part!r}")


def test_a_good_program(t):
    fake(t).stop()


def test_a_gauge_that_stays_up(t):
    tool = fake(t, FAKE_GAUGES='{"tunnel_pairs_active": 1}')
    fails(lambda: tool.wait_gauges_zero(0.2), "tunnel_pairs_active")
    tool.kill()


def test_an_idle_pooled_connection_is_no_leak(t):
    fake(t, FAKE_GAUGES='{"tunnel_pool_connections": 3}').stop()


def test_a_bad_exit_status(t):
    fails(fake(t, FAKE_STATUS="3").stop, "status 3")


def test_a_sanitizer_report(t):
    fails(fake(t, FAKE_SAYS="==1==ERROR: AddressSanitizer: heap-use-after-free").stop, "AddressSanitizer")


def test_ports_of_a_command_line(_):
    assert ports_of(["-l", "9999", "-t", "127.0.0.1:1"]) == [9999]
    assert ports_of(["-e", "tcp-chain -l 127.0.0.1:1 -t internal:a", "-e", "tcp-chain -l internal:a -t b:2"]) == [1]
    assert ports_of(["-l", "*:80", "-l", "[::1]:81", "-l", "internal:82"]) == [80, 81]


def test_differences_are_told(_):
    same = {"outcome": 1, "counters of a 0": {"x": 1}}
    assert not differences(same, dict(same))
    assert differences(same, {**same, "outcome": 2})
    assert differences(same, {**same, "counters of a 0": {"x": 1, "y": 1}})
