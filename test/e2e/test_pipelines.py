# SPDX-License-Identifier: Apache-2.0
"""The three pipelines of examples/ beside Envoy's own samples: same status, same body, same request at the origin."""
import os

from lib import client, peers
from lib.case import both_ways, needs
from lib.origin import fields_of
from lib.program import REPO
from lib.topology import tcp

# Header fields that may differ at the origin, and why. Everything else must be equal, in order.
MAY_DIFFER = {
    "x-forwarded-proto": "added by Envoy's HTTP connection manager; a tunnel's entry adds nothing to a request",
    "x-request-id": "the same; a random value",
    "x-envoy-expected-rq-timeout-ms": "the same; Envoy's route timeout of 15 s",
}


def pipeline(t, name, listens):
    file = os.path.join(REPO, "examples", name, "pipeline.tun")
    return t.tool("tun-run", "--workers", "1", file, listens=listens)


def comparable_request(raw):
    head, body = raw.split(b"\r\n\r\n", 1)
    line = head.split(b"\r\n")[0].decode()
    return line, sorted(field for field in fields_of(head + b"\r\n\r\n") if field[0] not in MAY_DIFFER), body


def requests():
    """What is sent to both, each on a connection of its own: (method, path, fields, body)."""
    return [("GET", "/", [], b""), ("GET", "/a/b?c=d%20e", ["Accept: text/plain", "X-Many: 1", "X-Many: 2"], b""),
            ("HEAD", "/head", [], b""), ("POST", "/form", ["Content-Type: text/plain"], b"some body"),
            ("DELETE", "/thing", [], b"")]


def answers(port):
    """(status, body) of every request of requests(), in order."""
    seen = []
    for method, path, fields, body in requests():
        answer = client.get(port, path, method=method, fields=fields, body=body)
        seen.append((answer.status, answer.body))
    return seen


def both_answers_and_origins(t, origin, envoy, ours, port):
    """Runs `envoy`, sends, stops it; then the same with `ours` on the same ports; checks that nothing differs."""
    peer = envoy()
    from_envoy = answers(port)
    peer.stop()
    at_origin_by_envoy = [comparable_request(raw) for raw in origin.requests] if origin else []
    if origin:
        origin.requests.clear()
    ours()
    from_us = answers(port)
    assert from_us == from_envoy, f"answers\n ours  {from_us}\n Envoy {from_envoy}"
    at_origin_by_us = [comparable_request(raw) for raw in origin.requests] if origin else []
    assert at_origin_by_us == at_origin_by_envoy, f"at the origin\n ours  {at_origin_by_us}\n Envoy {at_origin_by_envoy}"
    assert len(at_origin_by_us) == (len(requests()) if origin else 0)


@needs(peers.envoy_there)
@both_ways
def test_simple_chain_9999_to_10000(t):
    origin = t.http_origin(10000)
    both_answers_and_origins(t, origin, lambda: peers.envoy(t, "internal_listener_proxy.yaml", [9999]),
                             lambda: pipeline(t, "simple-chain", [9999]), 9999)


@needs(peers.envoy_there)
@both_ways
def test_get_encapsulated_in_h2_connect(t):
    """Both talk to the same CONNECT server on 10001 (a real Envoy), which leads to the origin on 10002."""
    origin = t.http_origin(10002)
    peers.envoy(t, "envoy-tcp-decap.yaml", [10001], ports={10000: 10002})
    both_answers_and_origins(t, origin, lambda: peers.envoy(t, "encapsulate_http_in_http2_connect.yaml", [10000]),
                             lambda: pipeline(t, "encapsulate", [10000]), 10000)


@needs(peers.envoy_there)
@both_ways
def test_connect_terminated_and_answered(t):
    """The same client for both: Envoy's encapsulating sample on 10000. Here nobody but the pipeline itself answers."""
    peers.envoy(t, "encapsulate_http_in_http2_connect.yaml", [10000])
    both_answers_and_origins(t, None, lambda: peers.envoy(t, "terminate_http_in_http2_connect.yaml", [10001]),
                             lambda: pipeline(t, "decapsulate", [10001]), 10000)


@needs(peers.node_there)
@both_ways
def test_connect_terminated_for_node(t):
    pipeline(t, "decapsulate", [10001])
    assert peers.node_get(10001, "host.com:443") == "Hello, world!\n"


@both_ways
def test_encapsulate_then_decapsulate(t):
    """The two halves of ours, back to back."""
    pipeline(t, "decapsulate", [10001])
    pipeline(t, "encapsulate", [10000])
    for _ in range(20):
        answer = client.get(10000)
        assert (answer.status, answer.body) == (200, b"Hello, world!\n"), answer


@needs(peers.envoy_there)
def test_lines_of_the_manual(t):
    """Lines 3 and 4 of the command line's manual, as they stand there, against each other and against Envoy."""
    t.tool("tun-decap", "-l", "10001", "--to", "respond:200:Hello, world!")
    t.tool("tun-encap", "-l", "10000", "-x", f"h2c:{tcp(10001)}", "--target", "host.com:443", "--http")
    assert client.get(10000).body == b"Hello, world!\n"
    peers.envoy(t, "envoy-tcp-encap-h2.yaml", [9999])
    assert client.get(9999, fields=["Connection: close"]).body == b"Hello, world!\n"
