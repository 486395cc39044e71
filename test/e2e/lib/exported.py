# SPDX-License-Identifier: Apache-2.0
"""What --export=envoy makes of lines: its text, Envoy's verdict, and a real Envoy that runs it where our program would."""
import itertools
import os
import subprocess

from . import peers
from .program import ports_of
from .wait import SCALE

OURS, ENVOY = "ours", "envoy"


def of_lines(*lines):
    """The words for tun-run that give it these lines."""
    return [word for line in lines for word in ("-e", line)]


def export(t, *words, how="envoy"):
    """(status, text, what was said) of tun-run WORDS --export=HOW."""
    done = subprocess.run([os.path.join(t.bin, "tun-run"), *map(str, words), f"--export={how}"], capture_output=True, timeout=20 * SCALE,
                          check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def exported(t, *words, how="envoy"):
    status, text, said = export(t, *words, how=how)
    assert status == 0 and not said, f"tun-run {words} was not exported: {said}"
    return text


def judge(path):
    """Starts `envoy --mode validate` on a file; wait_verdict() tells what came of it."""
    command = [peers.find("envoy"), "--mode", "validate", "-c", path, "-l", "error"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def wait_verdict(judging):
    """"" if Envoy takes it, else what it says."""
    said = judging.communicate(timeout=30 * SCALE)[0].decode()
    return "" if judging.returncode == 0 and said.rstrip().endswith("OK") else said


def start(t, side, words, listens=None, how="envoy"):
    """tun-run WORDS, or Envoy with what they are exported to."""
    listens = ports_of(words) if listens is None else listens
    if side == OURS:
        return t.tool("tun-run", "--workers", "1", *words, listens=listens)
    config = t.write(f"exported-{len(t.peers_)}.yaml", exported(t, *words, how=how))
    return t.peer("envoy", [peers.find("envoy"), "-c", config, "--disable-hot-restart", "--concurrency", "1", "-l", "error"], listens)


def on_every_side(t, processes, observe, how="envoy"):
    """Runs the processes, each the words of a tun-run, first as ours, then with each of them ours or Envoy's; observe(scene) must
    come back with the same every time. The last of `processes` is the first to start."""
    seen = {}
    for sides in itertools.product((OURS, ENVOY), repeat=len(processes)):
        scene = t.scene(False)
        for words, side in reversed(list(zip(processes, sides))):
            start(scene, side, words, how=how)
        seen[sides] = observe(scene)
        scene.finish()
    ours = seen[(OURS,) * len(processes)]
    for sides, other in seen.items():
        assert other == ours, f"{sides} gave {other}, ours gave {ours}"
    return ours
