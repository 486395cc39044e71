# SPDX-License-Identifier: Apache-2.0
"""tun-run --envoy FILE --envoy-compat beside Envoy: the rows of the README's table that it is to restore are no differences any more."""
from lib import differential, peers
from lib.case import limit, needs
from lib.envoy_samples import ROWS, SAMPLES, all_of
from lib.recorded import Recorded
from lib.tunnel_ends import open_terminate_h2, open_terminate_post
from lib.wait import SCALE

ROUTE_TIMEOUT = 15


class AsEnvoy(differential.Sample):
    options = ("--envoy-compat",)


class RecordedAsEnvoy(Recorded):
    options = ("--envoy-compat",)


def ends_and_waits(opener):
    """A client that ends its side of a tunnel whose origin does not: what comes within the time of the route, and then."""
    def the_route_has_no_time_left(scene, see):
        near, far = opener(scene)
        far.send(b"down")
        near.end()
        see("origin", far.rest())
        near.peer.sock.settimeout((ROUTE_TIMEOUT + 5) * SCALE)
        see("client", near.peer.rest(near.stream))
        see("origin then", far.rest())
    return all_of(the_route_has_no_time_left)


TIMEOUTS = [("terminate_http2_connect", 10001, 443, ends_and_waits(open_terminate_h2)),
            ("terminate_http2_post", 10001, 443, ends_and_waits(open_terminate_post))]


def rows_of(difference, rows):
    return {row for row in rows if any(case.fits(difference) for case in ROWS[row])}


@limit(300)
@needs(peers.envoy_there)
def test_rows_that_are_restored_are_no_differences(t):
    restored = {name for name, row in differential.rows_of_readme().items() if "`--envoy-compat`" in row.reason}
    assert {"D4", "D17", "D23", "D36"} <= restored, restored
    found = differential.differences(t, SAMPLES, (AsEnvoy, RecordedAsEnvoy))
    left = [one for one in found if rows_of(one, restored) and not rows_of(one, ROWS.keys() - restored)]
    assert not left, "\n".join(map(str, left))


@limit(120)
@needs(peers.envoy_there)
def test_a_route_without_a_timeout_has_that_of_envoy(t):
    found = differential.differences(t, TIMEOUTS, (AsEnvoy, RecordedAsEnvoy))
    left = [one for one in found if not rows_of(one, ROWS)]
    assert not left, "\n".join(map(str, left))
