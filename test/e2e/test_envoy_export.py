# SPDX-License-Identifier: Apache-2.0
"""Lines exported to Envoy, which takes them: those of examples/, and E2E_EXPORTS pipelines made up from every option that exports.

Each is judged by `envoy --mode validate`, and loaded and exported again as the same text. test_envoy_exported.py runs some.
"""
import os
import random

from lib import peers
from lib.case import limit, needs
from lib.exported import exported, judge, of_lines, wait_verdict
from lib.program import REPO

COUNT = int(os.environ.get("E2E_EXPORTS", 40))
AT_ONCE = 2


class Maker:
    """Pipelines of lines that lead to each other, never in a circle; the same seed makes the same."""

    def __init__(self, seed, folder):
        self.random_, self.port_, self.lines_, self.folder_ = random.Random(seed), 20_000, [], folder

    def pick(self, *values):
        return self.random_.choice(values)

    def chance(self, percent):
        return self.random_.random() * 100 < percent

    def time(self):
        return self.pick("1ms", "250ms", "1500ms", "7s", "90s", "2h")

    def port(self):
        self.port_ += 1
        return self.port_

    def host(self):
        return self.pick("127.0.0.1", "10.1.2.3", "[2001:db8::7]", "db.internal", "a", "some-host_name.of.corporation.example")

    def there(self):
        return f"{self.host()}:{self.random_.randint(1, 65535)}"

    def path(self, number):
        folder = self.pick("/run/x", "/tmp/with space ", "/srv/été-", "rel/ative'quote", "@abstract")
        return f"{folder}{number}"

    def word(self, text):
        return "'" + text.replace("'", "'\\''") + "'"

    # --- one line ---
    def listens(self, name):
        """The -l of a line, at least one; `name` as an internal listener if others lead to it."""
        if name:
            return f"-l internal:{name}"
        some = []
        for _ in range(self.pick(1, 1, 1, 2, 3)):
            port = self.port()
            unix = self.path(port)
            mode = "" if unix.startswith("@") or self.chance(50) else f",mode={self.pick('600', '666', '060')}"
            address = self.pick(f"{port}", f"127.0.0.1:{port}", f"[::1]:{port}", f"*:{port}", f"unix:{unix}{mode}")
            some.append(f"-l {self.word(address)}")
        kept = [one for one in some if "-l '*:" not in one] or ["-l 127.0.0.1:%d" % self.port()]
        return " ".join(some if not self.ends_here_ else kept)

    def settings(self):
        text = ""
        for option in ("--idle-timeout", "--connect-timeout", "--max-lifetime"):
            if self.chance(20):
                text += f" {option} {self.time()}"
        if self.chance(20):
            text += f" --max-conns {self.random_.randint(1, 100_000)}"
        if self.chance(20):
            text += " --access-log " + self.pick("-", "/dev/null", self.word(f'{self.folder_}/a "log"'))
            if self.chance(50):
                text += " --access-log-format " + self.pick(self.word('%START_TIME% "%REQ(:PATH)%" 100%%'),
                                                            self.word('{"a b": "%DURATION%", "it\'s": {"d": "%UPSTREAM_LOCAL_PORT%"}}'))
        return text + self.buffer_

    def answer(self):
        text = self.pick("ok", "it's \"so\": {#}", "%s %d", "été", "")
        return self.word(f"respond:{self.pick(200, 203, 404, 503)}:{text}")

    def dial(self, inside):
        """The -t of a line: to one of the lines behind, to somewhere else, or nowhere."""
        if inside and self.chance(60):
            name = self.pick(*inside)
            self.used_.add(name)
            with_id = f"/{self.pick('a.example:1', '[::1]:2', '10.0.0.1:65535')}" if name in self.by_id_ or self.chance(10) else ""
            return f"-t internal:{name}{with_id}"
        if self.chance(15):
            return f"-t {self.answer()}"
        if self.chance(10):
            return f"-t {self.word('unix:' + self.path(self.port()))}"
        if self.chance(30):
            some = " ".join(f"-t {self.host()}:{port}" for port in range(1, 4))
            return f"{some} --lb {self.pick('round-robin', 'least')}"
        return f"-t {self.there()}"

    def proxy(self, inside):
        version = self.pick("h1", "h2c")
        pool = f",idle={self.time()}" if self.chance(20) else ""
        if version == "h2c":
            pool += f",streams={self.random_.randint(1, 500)}" if self.chance(20) else ""
            pool += f",ping={self.pick('0', '1s', '20s')}" if self.chance(20) else ""
            pool += f",window={self.pick('64K', '1M', '16M')}" if self.chance(20) else ""
        ends = [name for name in inside if name in self.decaps_]
        if ends and self.chance(50):
            name = self.pick(*ends)
            self.used_.add(name)
            return f"-x {version}+internal:{name}{pool}"
        return f"-x {version}:{self.there()}{pool}"

    def encap(self, listens, inside, by_id):
        text = f"tun-encap {listens} {self.proxy(inside)}"
        for _ in range(self.pick(0, 0, 1, 2)):
            text += f" -x {self.pick('h1', 'h2c')}:{self.there()}"
        text += f" --target {'@endpoint' if by_id else self.there()}"
        if self.chance(40) and not by_id:
            text += " --http"
        if self.chance(30):
            text += " --post"
        for number in range(self.pick(0, 0, 1, 3)):
            value = self.pick("50% of it", "été", "", "\"quoted\"", "%protocol%", "a, b", "%DOWNSTREAM_REMOTE_ADDRESS% 100%%")
            text += " --header " + self.word(f"X-{number}: {value}")
        return text

    def line(self, number, inside):
        inner = number > 0 and self.chance(70)
        name = f"in{number}" if inner else ""
        kind = self.pick("chain", "chain", "encap", "decap")
        self.ends_here_ = kind == "decap"
        listens = self.listens(name)
        by_id = kind == "encap" and inner and self.chance(30)
        if kind == "encap":
            text = self.encap(listens, inside, by_id)
        elif kind == "decap":
            text = f"tun-decap {listens} {self.dial(inside)}" + self.pick("", "", " --post")
        else:
            text = f"tcp-chain {listens} {self.dial(inside)}"
        if not inner:
            text += f" --name line{number}" if self.chance(50) else f" --name {number}.{self.pick('a', 'true', '0x1', 'B-c')}"
        if inner:
            inside.append(name)
            if by_id:
                self.by_id_.add(name)
            if kind == "decap":
                self.decaps_.add(name)
        return text + self.settings()

    def words(self):
        """For tun-run."""
        self.used_, self.by_id_, self.decaps_ = set(), set(), set()
        self.buffer_ = self.pick("", "", f" --buffer {self.pick('1K', '256K', '8M')}")
        inside = []
        lines = [self.line(number, inside) for number in range(self.random_.randint(1, 7))]
        self.random_.shuffle(lines)
        words = of_lines(*lines)
        if self.chance(20):
            words += ["--limit", self.pick("pool-idle=1000", "pool-streams=7")]
        if self.chance(30):
            words += ["--admin", self.pick("127.0.0.1:9901", "[::1]:9901", "*:9901", "unix:/run/admin,mode=666")]
        return words


def judge_all(t, wanted):
    """`wanted` is an iterator of words for tun-run; returns how many there were."""
    judging, count = [], 0

    def wait_first():
        words, one = judging.pop(0)
        verdict = wait_verdict(one)
        assert not verdict, f"Envoy refuses what was exported of {words}:\n{verdict}"
    for words in wanted:
        text = exported(t, *words)
        path = t.write(f"{count}.yaml", text)
        again = exported(t, "--envoy", path)
        assert again == text, f"{words} came back as something else:\n{again}\nof\n{text}"
        judging.append((words, judge(path)))
        count += 1
        if len(judging) == AT_ONCE:
            wait_first()
    while judging:
        wait_first()
    return count


@needs(peers.envoy_there)
def test_examples_are_taken(t):
    examples = os.path.join(REPO, "examples")
    os.environ.update(ENTRY="18000", ORIGIN="18001")  # of processes-or-one
    files = [os.path.join(examples, name, "pipeline.tun") for name in sorted(os.listdir(examples))]
    files = [[file] for file in files if os.path.exists(file)]
    assert len(files) >= 4 and judge_all(t, files) == len(files)


@needs(peers.envoy_there)
def test_envoys_own_samples_are_taken_again(t):
    folder = os.path.join(REPO, "test", "envoy-samples")
    files = [["--envoy", os.path.join(folder, name)] for name in sorted(os.listdir(folder)) if name.endswith(".yaml")]
    assert len(files) >= 10 and judge_all(t, files) == len(files)


@limit(60 + COUNT)
@needs(peers.envoy_there)
def test_made_up_pipelines_are_taken(t):
    assert judge_all(t, (Maker(seed, t.tmp).words() for seed in range(COUNT))) == COUNT
