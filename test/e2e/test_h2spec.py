# SPDX-License-Identifier: Apache-2.0
"""h2spec against an answering listener: every case, the strict ones too."""
import re

from lib import peers
from lib.case import alone, limit, needs
from lib.topology import tcp

CASES = 146
# One port speaks both versions: what is no HTTP/2 preface is answered as HTTP/1.1, 400 and close, which h2spec cannot read.
ANSWERED_AS_HTTP1 = ["Sends invalid connection preface"]


@alone
@limit(120)
@needs(peers.h2spec_there)
def test_server(t):
    port = t.port()
    t.tool("tcp-chain", "-l", tcp(port), "-t", "respond:200:" + "x" * 3000)
    out = peers.output([peers.find("h2spec"), "-h", "127.0.0.1", "-p", port, "-o", "1", "-S"], seconds=100, status=None).decode()
    summary = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", out)
    assert summary, out[-2000:]
    failures = out[out.index("Failures:"):] if "Failures:" in out else ""
    assert re.findall(r"× \d+: (.*)", failures) == ANSWERED_AS_HTTP1, f"{summary[0]}\n{failures}"
    assert (int(summary[1]), int(summary[2]), int(summary[3])) == (CASES, CASES - len(ANSWERED_AS_HTTP1), 0), summary[0]
