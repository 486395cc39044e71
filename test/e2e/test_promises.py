# SPDX-License-Identifier: Apache-2.0
"""What the manual promises of the command line, one test a promise.

Elsewhere: 1 (a line is the same by itself and under tun-run) and 3 (--as-shell) are test_lines.py, with the unit tests
Promise.ALineIsTheSameAloneAndUnderTunRun and AsShell; 2 is command_line::an_internal_name_nobody_serves too."""
import os
import pty
import subprocess

from lib.topology import ONE
from lib.wait import SCALE

PROGRAMS = ("tun-encap", "tun-decap", "tcp-chain", "tun-run")


def run(t, *words, env=None):
    done = subprocess.run([os.path.join(t.bin, words[0]), *map(str, words[1:])], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=20 * SCALE, check=False, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def on_a_terminal(t, *words, env):
    """What a program writes to a terminal of its own."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([os.path.join(t.bin, words[0]), *words[1:]], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                          env={**os.environ, "TERM": "xterm", "NO_COLOR": "", **env}) as process:
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:  # Linux's way to say that nobody has the terminal open any more
            pass
        os.close(ours)
        assert process.wait(20 * SCALE) == 0, text
    return text


def test_2_an_internal_name_nobody_serves_fails_at_start_and_says_what_to_do(t):
    status, out, err = run(t, "tcp-chain", "-l", t.port(), "-t", "internal:mid")
    assert (status, out) == (78, ""), (status, out)
    assert "internal:mid" in err and "run both lines under tun-run" in err, err


def test_4_check_tells_names_and_circles_with_their_places(t):
    file = t.write("bad.tun", "tcp-chain -l internal:a -t internal:b\n"
                              "tcp-chain -l internal:b -t internal:a\n"
                              "  tcp-chain -l internal:b -t echo:\n"
                              "tcp-chain -l 1 -t internal:nowhere\n")
    status, out, err = run(t, "tun-run", "--check", file)
    assert (status, out) == (78, ""), (status, out, err)
    said = err.splitlines()
    for place, text in ((f"{file}:2:14: ", "a -> b -> a"), (f"{file}:3:16: ", "a second listener is called b"),
                        (f"{file}:4:19: ", "nothing in this process listens on internal:nowhere")):
        assert any(line.startswith(f"tun-run: {place}") and text in line for line in said), (place, text, said)


def test_5_what_is_unknown_is_refused_with_its_place_and_the_nearest_name(t):
    file = t.write("bad.tun", "tcp-chain -l interal:mid -t echo: --idle-tiemout 1s\ntun-encap -l 1 -x h2cc:a:1 --target a:1\n")
    status, out, err = run(t, "tun-run", "--check", file, "--limit", "hop=1")
    assert (status, out) == (64, ""), (status, out, err)
    for text in ("--limit 'hop=1': there is no limit called 'hop', did you mean hops?", f"{file}:1:14: ", "did you mean internal:?",
                 f"{file}:1:35: there is no option '--idle-tiemout', did you mean --idle-timeout?", f"{file}:2:19: ", "did you mean h2c?"):
        assert text in err, (text, err)


def test_6_help_on_stdout_errors_on_stderr_colours_on_terminals_only(t):
    for name in PROGRAMS:
        status, out, err = run(t, name, "--help")
        assert (status, err) == (0, "") and "\nExamples\n" in out[:200], (name, out[:200])
    status, out, err = run(t, "tcp-chain", "--nonsense")
    assert status == 64 and not out and len(err.splitlines()) == 1 and "\033" not in err, err
    words = ("tcp-chain", "-l", "1", "-t", "echo:", "--explain")
    plain = run(t, *words)[1]
    assert "\033" not in plain and plain.startswith("The process\n")
    coloured = on_a_terminal(t, *words, env={}).decode()
    assert "\033[1mThe process\033[0m" in coloured, coloured[:200]
    assert b"\033" not in on_a_terminal(t, *words, env={"NO_COLOR": "1"})
    assert b"\033" not in on_a_terminal(t, *words, env={"TERM": "dumb"})


def test_7_no_secret_need_be_on_a_command_line_or_is_shown(t):
    secret = "Basic c2VjcmV0"
    field, port = t.write("field", secret), t.port()
    line = f"tun-encap -l {port} -x h1:127.0.0.1:1 --target a:1 --header 'Proxy-Authorization: @{field}'"
    for wish in ("--explain", "--graph=ascii", "--graph=svg", "--graph=mermaid", "--as-shell"):
        status, out, err = run(t, "tun-run", "-e", line, wish)
        assert status == 0 and secret not in out + err, (wish, out, err)
    for wish in ("--export=envoy", "--export=envoy,lossy"):
        status, out, err = run(t, "tun-run", "-e", line, wish)
        assert status == 78 and secret not in out + err and "header proxy-authorization" in err, (wish, out, err)
    started = t.tool("tun-run", *ONE, "-vv", t.write("a.tun", line + "\n"), listens=[port])
    with open(f"/proc/{started.pid}/cmdline", "rb") as file:
        assert secret.encode() not in file.read()
    started.stop()
    assert not any("c2VjcmV0" in text for text in started.err.all()), started.report()


def test_8_tun_decap_needs_to_or_allow(t):
    status, out, err = run(t, "tun-decap", "-l", t.port())
    assert status == 64 and not out and "--to" in err and "--allow" in err, err
