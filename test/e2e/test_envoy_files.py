# SPDX-License-Identifier: Apache-2.0
"""tun-run --envoy: Envoy's own configurations as they are, alone, with each other, and with a real Envoy at the other end."""
import hashlib
import os
import re
import subprocess
import threading

from lib import client, peers
from lib.case import Skip, limit, needs
from lib.origin import echo, read_head, receive_bulk, send_bulk
from lib.program import REPO

SAMPLES = os.path.join(REPO, "test", "envoy-samples")
BULK = 100 << 20
HELLO = b"Hello, world!\n"
ENCAP, TERMINATE = "encapsulate_http_in_http2_connect.yaml", "terminate_http_in_http2_connect.yaml"


def sample(name):
    return os.path.join(SAMPLES, name)


def fixed_ports(function):
    """The samples' ports are what they are: only where nobody else has them."""
    def run(t):
        if not t.own_network:
            raise Skip("needs a network namespace: the samples have fixed ports", needed=False)
        function(t)
    run.__dict__.update(function.__dict__)
    run.__name__, run.__module__ = function.__name__, function.__module__
    return run


def ours(t, *files, listens):
    """One tun-run for all of `files`."""
    words = [word for file in files for word in ("--envoy", file)]
    return t.tool("tun-run", *words, listens=listens)


def envoy(t, file, *, listens):
    return t.peer("envoy", [peers.find("envoy"), "-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "error",
                            "--base-id", str(len(t.peers_))], listens)


def changed(t, name, **texts):
    """A copy of a sample in which some texts are others."""
    with open(sample(name), encoding="utf-8") as file:
        text = file.read()
    for old, new in texts.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    return t.write(f"{len(t.peers_) + len(t.tools)}-{name}", text)


def to_origin(t, name, port, own_port=10001, admin=9902):
    """A terminate_* sample that leads to localhost:`port` instead of www.google.com:443."""
    with open(sample(name), encoding="utf-8") as file:
        text = file.read()
    assert "www.google.com" in text
    text = text.replace("www.google.com", "localhost").replace("port_value: 443", f"port_value: {port}")
    text = text.replace("port_value: 10001", f"port_value: {own_port}").replace("port_value: 9902", f"port_value: {admin}")
    return t.write(f"{len(t.peers_) + len(t.tools)}-{name}", text)


def says_hello():
    assert peers.curl("http://127.0.0.1:10000/") == HELLO
    assert peers.curl("http://127.0.0.1:10000/some/path?x=y", "-d", "a body") == HELLO


# --- the three samples, unchanged ---
@needs(peers.curl_there)
@fixed_ports
def test_two_processes(t):
    ours(t, sample(TERMINATE), listens=[10001, 9902])
    ours(t, sample(ENCAP), listens=[10000])
    says_hello()


@needs(peers.curl_there, peers.envoy_there)
@fixed_ports
def test_envoy_encapsulates(t):
    ours(t, sample(TERMINATE), listens=[10001, 9902])
    envoy(t, sample(ENCAP), listens=[10000])
    says_hello()


@needs(peers.curl_there, peers.envoy_there)
@fixed_ports
def test_envoy_terminates(t):
    envoy(t, sample(TERMINATE), listens=[10001, 9902])
    ours(t, sample(ENCAP), listens=[10000])
    says_hello()


@needs(peers.curl_there)
@fixed_ports
def test_both_files_in_one_process(t):
    ours(t, sample(ENCAP), sample(TERMINATE), listens=[10000, 10001, 9902])
    says_hello()


@needs(peers.curl_there)
@fixed_ports
def test_a_file_beside_lines(t):
    t.tool("tun-run", "--envoy", sample(ENCAP), "-e", "tun-decap -l 10001 -t respond:200:line",
           listens=[10000, 10001])
    assert peers.curl("http://127.0.0.1:10000/") == b"line\n"


@needs(peers.curl_there)
@fixed_ports
def test_internal_listener_proxy(t):
    t.http_origin(10000, body=b"behind\n")
    ours(t, sample("internal_listener_proxy.yaml"), listens=[9999, 9904])
    assert peers.curl("http://127.0.0.1:9999/") == b"behind\n"
    assert peers.curl("http://127.0.0.1:9904/ready", "-o", "/dev/null", "-w", "%{http_code}") == b"200"


# --- the other seven ---
def carries_all(t, port):
    """GET, POST, and BULK bytes each way, through the tunnel that begins at `port`; the origin is `t.origin`."""
    got = peers.curl(f"http://127.0.0.1:{port}/")
    assert got == b"hi\n", got
    peers.curl(f"http://127.0.0.1:{port}/up", "-d", "up " * 1000)
    assert any(raw.startswith(b"POST /up ") and raw.endswith(b"up " * 1000) for raw in t.origin.requests)


def carries_bulk(t, port):
    """The client ends last: a tunnel in HTTP/1.1 is over for Envoy when its client has ended."""
    sock, sent = t.connect(port, seconds=120), {}
    thread = threading.Thread(target=lambda: sent.update(digest=send_bulk(sock, BULK, "envoy")), daemon=True)
    thread.start()
    received = receive_bulk(sock, BULK)
    thread.join()
    assert received == (BULK, sent["digest"]), f"{received[0]} of {BULK} bytes came back"


def pair(t, version, near, far):
    """encapsulate_in_VERSION and terminate_VERSION, each run by `near` and `far`, with the same traffic as ever."""
    terminate = {"http1_connect": "terminate_http1_connect.yaml", "http2_connect": "terminate_http2_connect.yaml",
                 "http2_post": "terminate_http2_post.yaml"}[version]
    encapsulate = sample(f"encapsulate_in_{version}.yaml")
    t.origin = t.http_origin()
    far(t, to_origin(t, terminate, t.origin.port), listens=[10001, 9902])
    near(t, encapsulate, listens=[10000, 9903])
    carries_all(t, 10000)
    if version == "http1_connect":
        assert peers.curl("http://127.0.0.1:10002/") == b"hi\n"


def bulk_pair(t, version, near, far):
    bulk = t.server(echo)
    far(t, to_origin(t, f"terminate_{version}.yaml", bulk.port), listens=[10001, 9902])
    near(t, sample(f"encapsulate_in_{version}.yaml"), listens=[10000, 9903])
    carries_bulk(t, 10000)


def add_pairs():
    """A test a version and a combination of who runs the ends: nobody has them written out."""
    ends = {"ours_ours": (ours, ours), "ours_envoy": (ours, envoy), "envoy_ours": (envoy, ours)}
    for version in ("http1_connect", "http2_connect", "http2_post"):
        for who, (near, far) in ends.items():
            for what, traffic in (("requests", pair), ("bulk", bulk_pair)):
                def test(t, version=version, near=near, far=far, traffic=traffic):
                    traffic(t, version, near, far)
                test.__name__ = test.__qualname__ = f"test_{version}_{who}_{what}"
                there = [peers.curl_there] + ([peers.envoy_there] if "envoy" in who else [])
                globals()[test.__name__] = needs(*there)(fixed_ports(limit(120)(test)))


add_pairs()


def proxied(t, middle):
    t.origin = t.http_origin()
    ours(t, to_origin(t, "terminate_http2_connect.yaml", t.origin.port, own_port=10002, admin=9905), listens=[10002, 9905])
    middle(t, sample("proxy_connect.yaml"), listens=[10001, 9902])
    ours(t, sample("encapsulate_in_http2_connect.yaml"), listens=[10000, 9903])
    carries_all(t, 10000)


@needs(peers.curl_there)
@fixed_ports
def test_proxy_connect_ours(t):
    proxied(t, ours)


@needs(peers.curl_there, peers.envoy_there)
@fixed_ports
def test_proxy_connect_envoy(t):
    proxied(t, envoy)


@fixed_ports
def test_the_request_names_the_target_if_it_says_foo_bar(t):
    """terminate_http1_connect: two routes for CONNECT, told apart by a header."""
    named, fixed = t.http_origin(body=b"named\n"), t.http_origin(body=b"fixed\n")
    ours(t, to_origin(t, "terminate_http1_connect.yaml", fixed.port), listens=[10001, 9902])
    for fields, body in ((("foo: bar",), b"named\n"), (("foo: baz",), b"fixed\n"), ((), b"fixed\n")):
        sock = t.connect(10001)
        answer = client.open_tunnel(sock, f"127.0.0.1:{named.port}", fields=fields)
        assert answer.status == 200, answer
        answer = client.request(sock, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.body == body, (fields, answer)


ODD = ("localhost", "0x7f000001", "2130706433", "0177.0.0.1", "127.1", "0", "127.0.0.1.")


def goes_to_addresses_only(t, run, refusal):
    origin = t.http_origin(body=b"named\n")
    run(t, to_origin(t, "terminate_http1_connect.yaml", origin.port), listens=[10001, 9902])
    for host in ODD:
        answer = client.open_tunnel(t.connect(10001), f"{host}:{origin.port}", fields=("foo: bar",))
        assert answer.status == refusal, (host, answer)
    assert not origin.requests
    assert client.open_tunnel(t.connect(10001), f"127.0.0.1:{origin.port}", fields=("foo: bar",)).status == 200


@fixed_ports
def test_original_dst_goes_to_addresses_only(t):
    """A name, and what only a resolver takes for an address, would get around a route that denies by domain."""
    goes_to_addresses_only(t, ours, 403)


@needs(peers.envoy_there)
@fixed_ports
def test_original_dst_of_envoy_goes_to_addresses_only(t):
    goes_to_addresses_only(t, envoy, 503)


@fixed_ports
def test_header_values_come_from_the_connection(t):
    """encapsulate_in_http1_connect: %DOWNSTREAM_LOCAL_PORT%, another at each of its two listeners."""
    heads = []

    def proxy(connection):
        heads.append(read_head(connection.makefile("rb")))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        echo(connection)
    t.server(proxy, 10001)
    ours(t, sample("encapsulate_in_http1_connect.yaml"), listens=[10000, 10002, 9903])
    for port in (10000, 10002):
        sock = t.connect(port)
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"
    assert [re.search(rb"\r\noriginal_dst_port: (\d+)\r\n", head)[1] for head in heads] == [b"10000", b"10002"]
    assert all(head.startswith(b"CONNECT host.com:443 HTTP/1.1\r\n") for head in heads), heads


# --- who takes which request: the same from Envoy and from us ---
ROUTES = """
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config:
            virtual_hosts:
            - name: exact
              domains: ["a.example", "a.example:8080"]
              routes:
              - {match: {path: /whole}, direct_response: {status: 200, body: {inline_string: "a whole"}}}
              - {match: {prefix: /p, headers: [{name: X-Foo, string_match: {exact: bar}}]},
                 direct_response: {status: 201, body: {inline_string: "a bar"}}}
              - {match: {prefix: /p, headers: [{name: X-Foo, string_match: {exact: "bar,baz"}}]},
                 direct_response: {status: 206, body: {inline_string: "a bar,baz"}}}
              - {match: {prefix: /p}, direct_response: {status: 202, body: {inline_string: "a p"}}}
            - name: suffix
              domains: ["*.example"]
              routes:
              - {match: {prefix: /, headers: [{name: ":method", string_match: {exact: PUT}}]},
                 direct_response: {status: 203, body: {inline_string: "suffix put"}}}
              - {match: {prefix: /only}, direct_response: {status: 200, body: {inline_bytes: c3VmZml4}}}
            - name: prefix
              domains: ["b.*"]
              routes:
              - {match: {prefix: /}, direct_response: {status: 200, body: {inline_string: "prefix"}}}
            - name: longer
              domains: ["*.b.example"]
              routes:
              - {match: {prefix: /}, direct_response: {status: 200, body: {inline_string: "longer"}}}
            - name: rest
              domains: ["*"]
              routes:
              - {match: {prefix: /up}, route: {cluster: origin}}
              - {match: {prefix: /}, direct_response: {status: 418, body: {inline_string: "rest"}}}
          http_filters:
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: origin
    type: STRICT_DNS
    dns_lookup_family: V4_ONLY
    load_assignment:
      cluster_name: origin
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: localhost, port_value: ORIGIN}}}}]}]
"""
ASKED = [(host, path, method, fields) for host in ("a.example", "A.Example", "a.example:8080", "a.example:80", "x.example", "x.b.example",
                                                    "b.other", "b.example", "other", ".example")
         for path, method, fields in (("/", "GET", ()), ("/whole", "GET", ()), ("/whole?q=1", "GET", ()), ("/wholesome", "GET", ()),
                                      ("/p", "GET", ("X-Foo: bar",)), ("/p", "GET", ("x-foo: baz",)), ("/px?y", "POST", ()),
                                      ("/p", "GET", ("X-Foo: bar", "X-Foo: baz")), ("/p", "GET", ("X-Foo: baz", "X-Foo: bar")),
                                      ("/p", "GET", ("X-Foo: ba", "X-Foo: z")), ("/p", "GET", ("X-Foo: bar,baz",)), ("/p", "GET", ("X-Foo: bar, baz",)),
                                      ("/only", "PUT", ()), ("/only", "GET", ()), ("/up", "GET", ()))]


@needs(peers.envoy_there)
def test_routes_are_chosen_as_envoy_does(t):
    """Every host with every request: status and body are Envoy's, bodies of 404 aside."""
    t.origin = t.http_origin(body=b"up\n")
    ports, answers = {"ours": t.port(), "envoy": t.port()}, {}
    files = {name: t.write(f"{name}.yaml", ROUTES.replace("PORT", str(port)).replace("ORIGIN", str(t.origin.port)))
             for name, port in ports.items()}
    ours(t, files["ours"], listens=[ports["ours"]])
    envoy(t, files["envoy"], listens=[ports["envoy"]])
    for name, port in ports.items():
        answers[name] = []
        for host, path, method, fields in ASKED:
            answer = client.get(port, path, host=host, fields=fields, method=method)
            answers[name].append((answer.status, b"" if answer.status in (404, 405) else answer.body))
    differing = [(asked, *pair) for asked, *pair in zip(ASKED, answers["ours"], answers["envoy"]) if pair[0] != pair[1]]
    assert not differing, differing
    assert len({status for status, _ in answers["ours"]}) >= 6, answers["ours"]


# --- what is judged before anything runs ---
def refused(t, text):
    file = t.write("refused.yaml", text)
    done = subprocess.run([os.path.join(t.bin, "tun-run"), "--envoy", file], capture_output=True, timeout=20, check=False)
    return done.returncode, [line.removeprefix(f"tun-run: {file}:") for line in done.stderr.decode().splitlines()]


def test_references_are_judged_at_load(t):
    """An internal listener and a cluster that nobody defines: Envoy starts, and fails every connection."""
    with open(sample("internal_listener_proxy.yaml"), encoding="utf-8") as file:
        text = file.read()
    status, said = refused(t, text.replace("server_listener_name: encap", "server_listener_name: encab"))
    assert (status, said) == (78, ["38:5: cluster encap_cluster: there is no internal listener called 'encab', did you mean encap?"]), said
    status, said = refused(t, text.replace("cluster: cluster_0", "cluster: cluster_1"))
    assert (status, said) == (78, ["28:5: listener encap: there is no cluster called 'cluster_1', did you mean cluster_0?"]), said


def test_samples_are_envoys_byte_for_byte(_t):
    """What a change of the three files would hide."""
    sums = {"encapsulate_http_in_http2_connect.yaml": "70e84deafcc8554357a49a714e7769cdcb54280ec6e6f0b2f7e2d83608e0b868", "internal_listener_proxy.yaml": "d9da4c5c211c72801e5c29a64fa4540a9d20b6f78e420682255abff738aedce7", TERMINATE: "41c6797a12fccc61069b1d9be021b481ff9ef1f897b54b8a199221294bb2aa2f"}
    for name, expected in sums.items():
        with open(sample(name), "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == expected, name
