# SPDX-License-Identifier: Apache-2.0
"""Every examples/*/run.sh, with the programs under test (TUNNEL_BIN: nothing is set up or built)."""
import os

from lib import peers
from lib.case import limit, needs
from lib.program import REPO

EXAMPLES = os.path.join(REPO, "examples")


def define(name):
    @limit(60)
    @needs(peers.curl_there)
    def test(t):
        done = peers.output(["env", f"TUNNEL_BIN={t.bin}", os.path.join(EXAMPLES, name, "run.sh")], seconds=50)
        assert done.decode().rstrip().splitlines()[-1].startswith("ok"), done.decode()
    test.__name__ = f"test_{name.replace('-', '_')}"
    globals()[test.__name__] = test


for one in sorted(os.listdir(EXAMPLES)):
    if os.path.exists(os.path.join(EXAMPLES, one, "run.sh")):
        define(one)
