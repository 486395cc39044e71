# SPDX-License-Identifier: Apache-2.0
"""The same scene played twice, with internal hops as records and with --force-pairs: nothing that can be seen may differ."""
import functools
import re

# Counters of how a hop is made, or of timing; everything else must be equal to the last digit.
MAY_DIFFER = re.compile(r"pair|paused|spliced|pool_idle|stalled|wakeup|accept_bursts|log_lost|_seconds")
# Fields of an access record that are never the same twice; ports inside addresses are replaced.
VOLATILE = re.compile(r"time|start|duration|(^|_)(ms|us|ns|id|pid|worker)$")
PORT = re.compile(r"(127\.0\.0\.1|\[::1\]|localhost):\d+")
NAME = re.compile(r"\b(tun-encap|tun-decap|tcp-chain)-\d+")  # a listener's default name ends in its port


def comparable_record(record):
    return {key: NAME.sub(r"\1-PORT", PORT.sub(r"\1:PORT", value)) if isinstance(value, str) else value
            for key, value in record.items() if not VOLATILE.search(key)}


def comparable_counters(tool):
    assert tool.final, f"{tool.name} ended before its counters were read"
    return {name: value for name, value in tool.final["counters"].items() if not MAY_DIFFER.search(name)}


def play(t, scene, force_pairs):
    """Runs scene(case) with programs of its own and returns what can be seen from outside."""
    case = t.scene(force_pairs)
    outcome = scene(case)
    case.finish()
    seen = {"outcome": outcome}
    for number, tool in enumerate(case.tools):
        records = [comparable_record(record) for record in tool.access_log()]
        seen[f"access log of {tool.name} {number}"] = sorted(records, key=repr)
        seen[f"counters of {tool.name} {number}"] = comparable_counters(tool)
    return seen


def differences(records, pairs):
    """One line a difference."""
    lines = []
    for name in records:
        if name.startswith("counters"):
            lines += [f"{name}: {key} is {records[name].get(key)} with records, {pairs[name].get(key)} with pairs"
                      for key in sorted(records[name].keys() | pairs[name].keys()) if records[name].get(key) != pairs[name].get(key)]
        elif records[name] != pairs[name]:
            lines.append(f"{name}:\n  with records {records[name]}\n  with pairs   {pairs[name]}")
    return lines


def compared(scene):
    """A test function played both ways: bytes and closes (what it returns), access logs and counters must be equal."""
    @functools.wraps(scene)
    def run(t):
        records, pairs = play(t, scene, False), play(t, scene, True)
        logs = [name for name in records if name.startswith("access log")]
        assert not logs or any(records[name] for name in logs), "no access log was written: the comparison would be empty"
        found = differences(records, pairs)
        assert not found, "\n".join(found)
    return run
