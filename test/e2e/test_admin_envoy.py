# SPDX-License-Identifier: Apache-2.0
"""The admin server beside a real Envoy's: the same file and the same traffic, the same answers and the same statistics."""
import json
import os
import re
import subprocess

from lib import client, network, peers, wait
from lib.case import needs
from lib.origin import echo
from lib.program import REPO
from lib.topology import tcp

SAMPLES = os.path.join(REPO, "test", "envoy-samples")
CHAIN, ENCAP, TERMINATE = ("internal_listener_proxy.yaml", "encapsulate_http_in_http2_connect.yaml",
                           "terminate_http_in_http2_connect.yaml")

# What every run must have in both, so that nothing is compared with nothing.
LISTENER = ["downstream_cx_total", "downstream_cx_active", "downstream_cx_destroy", "downstream_global_cx_overflow",
            "worker_0.downstream_cx_total", "worker_0.downstream_cx_active"]
TCP = ["downstream_cx_total", "downstream_cx_rx_bytes_total", "downstream_cx_tx_bytes_total"]
ANSWERS = [f"downstream_rq_{kind}" for kind in ("1xx", "2xx", "3xx", "4xx", "5xx", "completed")]
HTTP = [*ANSWERS, "downstream_cx_total", "downstream_cx_active", "downstream_cx_destroy", "downstream_cx_http1_total",
        "downstream_cx_http1_active", "downstream_cx_http2_total", "downstream_cx_http2_active", "downstream_cx_upgrades_total",
        "downstream_cx_upgrades_active", "downstream_rq_total", "downstream_rq_active", "downstream_rq_http1_total",
        "downstream_rq_http2_total", "rq_total", "rq_direct_response", "no_route"]
CLUSTER = ["membership_total", "upstream_cx_total", "upstream_cx_active", "upstream_cx_connect_fail", "upstream_cx_connect_timeout",
           "upstream_rq_total"]
RAW = ["upstream_cx_rx_bytes_total", "upstream_cx_tx_bytes_total"]
POOLED = ["upstream_cx_http1_total", "upstream_cx_http2_total", "upstream_rq_active"]
PROCESS = ["listener_manager.listener_added", "listener_manager.total_listeners_active", "listener_manager.workers_started",
           "listener_manager.listener_stopped", "cluster_manager.cluster_added", "cluster_manager.active_clusters",
           "server.concurrency", "server.live", "server.state"]
# What differs in any run, and why.
DIFFERENT = {
    "server.memory_physical_size": "another program",
    "server.uptime": "started at another time",
    "server.total_connections": "Envoy brings it up to date every five seconds",
}


def named(scope, names):
    return [f"{scope}.{name}" for name in names]


class Side:
    """One program with one file, and its ports by those of the sample."""

    def __init__(self, admin, ports, program):
        self.admin, self.ports, self.program = admin, ports, program

    def as_in_sample(self, text):
        for old, new in self.ports.items():
            text = re.sub(rf"(?<=[:_]){new}\b", str(old), text)
        return text

    def ask(self, path, method="GET"):
        with client.connect(self.admin) as sock:
            return client.request(sock, f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), method)

    def text(self, path):
        answer = self.ask(path)
        assert answer.status == 200, (path, answer)
        return self.as_in_sample(answer.body.decode())

    def stats(self):
        return {name: int(value) for name, value in re.findall(r"^(\S+): (\d+)$", self.text("/stats"), re.M)}


def changed(t, name, ports):
    """A sample with other ports, and an admin server if it has none."""
    with open(os.path.join(SAMPLES, name), encoding="utf-8") as file:
        text = file.read()
    if "admin:" not in text:
        text += "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9903}}}\n"
    for old, new in ports.items():
        assert f"port_value: {old}" in text, f"{name} has no port {old}"
        text = re.sub(rf"port_value: {old}\b", f"port_value: {new}", text)
    return t.write(f"{len(t.peers_) + len(t.tools)}-{name}", text)


def envoy(t, name, listen, admin, others=()):
    """`listen`, `admin`: the sample's own ports; `others`: {its port: the port meant}."""
    ports = {listen: t.port(), admin: t.port(), **dict(others)}
    words = ["-c", changed(t, name, ports), "--disable-hot-restart", "--concurrency", "1", "-l", "error", "--base-id", str(len(t.peers_))]
    return Side(ports[admin], ports, t.peer("envoy", [peers.find("envoy"), *words], [ports[listen], ports[admin]]))


def ours(t, name, listen, admin, others=(), *options):
    ports = {listen: t.port(), admin: t.port(), **dict(others)}
    words = ["--envoy", changed(t, name, ports), "--workers", "1", *options]
    return Side(ports[admin], ports, t.tool("tun-run", *words, listens=[ports[listen], ports[admin]]))


def chains(t, target, *options):
    """The chain over an internal listener to `target`, by Envoy and by us."""
    return envoy(t, CHAIN, 9999, 9904, {10000: target}), ours(t, CHAIN, 9999, 9904, {10000: target}, *options)


def pairs(t):
    """The GET in a CONNECT: (encapsulation, termination) by Envoy and by us."""
    made = []
    for start in (envoy, ours):
        far = start(t, TERMINATE, 10001, 9902)
        made.append((start(t, ENCAP, 10000, 9903, {10001: far.ports[10001]}), far))
    return made


def compare(theirs, own, names, different=()):
    """All statistics both have are equal, once both have come to rest; `names` are among them."""
    known = {**DIFFERENT, **dict(different)}

    def differences():
        left, right = theirs.stats(), own.stats()
        assert set(names) <= set(left) & set(right), sorted(set(names) - (set(left) & set(right)))
        return {name: (left[name], right[name]) for name in left.keys() & right.keys() if left[name] != right[name]}

    try:
        wait.until(lambda: not set(differences()) - set(known), 10, "the same statistics")
    except AssertionError as error:
        raise AssertionError(f"Envoy's and ours: {differences()}") from error
    found = differences()
    assert set(different) <= set(found), f"no longer different: {sorted(set(different) - set(found))}"


def exchange(sock, data):
    sock.sendall(data)
    got = b""
    while len(got) < len(data):
        got += sock.recv(65536)
    assert got == data


# --- statistics ---
@needs(peers.envoy_there)
def test_a_chain_counts_as_envoys(t):
    """Three connections, of which one stays open."""
    origin = t.server(echo)
    theirs, own = chains(t, origin.port)
    kept = []
    for side in (theirs, own):
        for size in (10, 70000):
            with client.connect(side.ports[9999]) as sock:
                exchange(sock, b"x" * size)
        kept.append(client.connect(side.ports[9999]))
        exchange(kept[-1], b"open")
    names = [*named("listener.127.0.0.1_9999", LISTENER), *named("listener.envoy_internal_encap", LISTENER), *named("tcp.ingress", TCP),
             *named("tcp.encap", TCP), *named("cluster.encap_cluster", CLUSTER + RAW), *named("cluster.cluster_0", CLUSTER + RAW), *PROCESS]
    compare(theirs, own, names)
    assert own.stats()["tcp.encap.downstream_cx_rx_bytes_total"] == 70014
    assert own.stats()["listener.envoy_internal_encap.downstream_cx_active"] == 1
    for sock in kept:
        sock.close()
    compare(theirs, own, names)
    assert own.stats()["cluster.cluster_0.upstream_cx_active"] == 0


@needs(peers.envoy_there)
def test_a_refused_connection_counts_as_envoys(t):
    """Also where the connection to the hop in between stood already, which Envoy's does by then."""
    theirs, own = chains(t, t.port())
    for side in (theirs, own):
        with client.connect(side.ports[9999]) as sock:
            assert client.read_to_end(sock)[0] == b""
    compare(theirs, own, [*named("cluster.cluster_0", CLUSTER), *named("cluster.encap_cluster", CLUSTER)])
    assert own.stats()["cluster.cluster_0.upstream_cx_connect_fail"] == 1


@needs(peers.envoy_there)
def test_requests_and_tunnels_count_as_envoys(t):
    """Two GETs on one connection and one on another, each end by Envoy and by us; the tunnel stays open."""
    (near, far), (own_near, own_far) = pairs(t)
    for side in (near, own_near):
        with client.connect(side.ports[10000]) as sock:
            for _ in range(2):
                assert client.request(sock, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").body == b"Hello, world!\n"
        assert client.get(side.ports[10000]).body == b"Hello, world!\n"
    compare(near, own_near, [*named("listener.127.0.0.1_10000", LISTENER), *named("listener.127.0.0.1_10000.http.ingress_http", ANSWERS),
                             *named("http.ingress_http", HTTP), *named("listener.envoy_internal_encap", LISTENER),
                             *named("tcp.tcp_stats", TCP[:1]), *named("cluster.encap_cluster", CLUSTER + POOLED),
                             "cluster.encap_cluster.upstream_rq_2xx", "cluster.encap_cluster.upstream_rq_completed",
                             *named("cluster.cluster_0", CLUSTER + POOLED), *PROCESS],
            {f"tcp.tcp_stats.{name}": "Envoy adds fields to the requests and answers inside" for name in TCP[1:]})
    # One stat_prefix for both: their connections, requests and tunnels are added up.
    compare(far, own_far, [*named("http.ingress_http", HTTP), *named("listener.127.0.0.1_10001.http.ingress_http", ANSWERS),
                           *named("listener.envoy_internal_decap.http.ingress_http", ANSWERS), *named("cluster.decap_cluster", CLUSTER),
                           "cluster.decap_cluster.upstream_rq_2xx", *PROCESS],
            {f"cluster.decap_cluster.{name}": "Envoy adds fields to the requests and answers inside" for name in RAW})
    assert own_far.stats()["http.ingress_http.downstream_cx_upgrades_active"] == 1


@needs(peers.envoy_there)
def test_prometheus_has_envoys_families_and_labels(t):
    origin = t.server(echo)
    theirs, own = chains(t, origin.port)

    def samples(side, path="/stats/prometheus"):
        kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", side.text(path), re.M))
        rows = re.findall(r"^(\w+)\{(.*)\} \d+$", side.text(path), re.M)
        return {(name, kinds[name], tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))) for name, labels in rows if name in kinds}

    left, right = samples(theirs), samples(own)
    assert right <= left, right - left
    assert len(right) == len(own.stats()) == len(samples(own, "/stats?format=prometheus"))
    used = "/stats?usedonly&filter=^tcp"
    assert own.text(used) == theirs.text(used) == ""
    query = "/stats?format=json&filter=%5Etcp%5C.encap%5C.downstream_cx_total"
    assert json.loads(own.text(query)) == json.loads(theirs.text(query)) == {"stats": [{"name": "tcp.encap.downstream_cx_total", "value": 0}]}


# --- what runs ---
@needs(peers.envoy_there)
def test_listeners_and_clusters_are_told_as_envoy_tells_them(t):
    origin = t.server(echo)
    theirs, own = chains(t, origin.port)
    for side in (theirs, own):
        with client.connect(side.ports[9999]) as sock:
            exchange(sock, b"one")
    assert own.text("/listeners") == theirs.text("/listeners") == "ingress::127.0.0.1:9999\nencap::envoy://encap/\n"
    path = "/listeners?format=json"
    assert json.loads(own.ask(path).body.replace(str(own.ports[9999]).encode(), b"9999")) == \
        json.loads(theirs.ask(path).body.replace(str(theirs.ports[9999]).encode(), b"9999"))
    lines = own.text("/clusters").splitlines()
    assert len(lines) == 14 and set(lines) <= set(theirs.text("/clusters").splitlines()), lines
    assert "encap_cluster::envoy://encap/::cx_total::1" in lines

    def by_name(side):
        return {one["name"]: one for one in json.loads(side.text("/clusters?format=json"))["cluster_statuses"]}

    for name, status in by_name(own).items():
        whole = by_name(theirs)[name]["host_statuses"][0]
        host = status["host_statuses"][0]
        assert all(stat in whole["stats"] for stat in host["stats"]) and host["health_status"] == whole["health_status"], (host, whole)
    assert own.text("/clusters?filter=^cluster_") == "".join(line + "\n" for line in lines if line.startswith("cluster_0"))


@needs(peers.envoy_there)
def test_a_dump_is_a_configuration_that_envoy_takes(t):
    origin = t.server(echo)
    theirs, own = chains(t, origin.port)
    dump, whole = json.loads(own.ask("/config_dump").body), json.loads(theirs.ask("/config_dump").body)
    assert dump["not_exported"] == ["--workers 1: Envoy's threads are given on its command line, with --concurrency"], dump["not_exported"]
    types = [config["@type"] for config in dump["configs"]]
    assert types == [config["@type"] for config in whole["configs"] if config["@type"] in types], types
    for kind, key in (("static_listeners", "listener"), ("static_clusters", "cluster")):
        def heads(of):
            return sorted((one[key]["@type"], one[key]["name"]) for config in of["configs"] for one in config.get(kind, []))
        assert heads(dump) == heads(whole) != []
    file = t.write("dumped.json", json.dumps(dump["configs"][0]["bootstrap"]))
    done = subprocess.run([peers.find("envoy"), "--mode", "validate", "-c", file, "-l", "error"], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done


def test_a_dump_says_what_is_missing_and_keeps_secrets(t):
    port, other, admin = t.port(), t.port(), t.port()
    secret = t.write("secret", "Basic c2VjcmV0\n")
    t.tool("tun-run", "--admin", tcp(admin), "-e", f"tun-encap -l {tcp(port)} -x h1:127.0.0.1:1 --target a:1 --name near "
           f"--header 'Proxy-Authorization: @{secret}'", "-e", f"tun-decap -l {tcp(other)} --allow a.example:443 --name far",
           listens=[port, other, admin])
    text = Side(admin, {}, None).text("/config_dump")
    dump = json.loads(text)
    assert "c2VjcmV0" not in text
    missing = "\n".join(dump["not_exported"])
    assert "listener near: header proxy-authorization, a secret, which is never shown" in missing, missing
    assert re.search(r"^cluster far\S* is missing: ", missing, re.M), missing
    listeners = [one["listener"]["name"] for one in dump["configs"][2]["static_listeners"]]
    assert listeners[0] == "near" and "far" in listeners, listeners


# --- what is answered ---
@needs(peers.envoy_there)
def test_health_and_refusals_are_told_as_envoy_tells_them(t):
    theirs, own = chains(t, t.port())

    def told(path, method="GET"):
        answers = [(side.ask(path, method).status, side.ask(path, method).body.strip()) for side in (theirs, own)]
        assert answers[0] == answers[1], (path, answers)
        return answers[1]

    assert told("/ready") == (200, b"LIVE")
    assert told("/healthcheck/fail", "POST") == (200, b"OK")
    assert told("/ready") == (503, b"DRAINING")
    for side in (theirs, own):
        info = json.loads(side.ask("/server_info").body)
        assert info["state"] == "DRAINING" and re.fullmatch(r"\d+s", info["uptime_current_epoch"]), info
        assert info["command_line_options"]["concurrency"] == 1
    assert told("/healthcheck/ok", "POST") == (200, b"OK")
    assert told("/ready") == (200, b"LIVE")
    assert told("/stats?filter=(") == (400, b"Invalid re2 regex: missing ): (")
    for path in ("/quitquitquit", "/drain_listeners", "/healthcheck/fail", "/healthcheck/ok", "/logging"):
        assert told(path) == (405, b"Method GET not allowed, POST required.")
    for side in (theirs, own):
        assert side.ask("/help").body.startswith(b"admin commands are:\n  /: ")
        unknown = side.ask("/nope")
        assert unknown.status == 404 and unknown.body == b"invalid path. " + side.ask("/help").body, unknown
        level = side.ask("/logging?level=critical_", "POST")
        assert level.status == 400 and level.body.startswith(b"error: unknown logger level\n\nusage: /logging?"), level


def test_the_log_tells_more_when_asked(t):
    port, admin = t.port(), t.port()
    tool = t.tool("tcp-chain", "-l", tcp(port), "-t", "respond:200:hi", "--admin", tcp(admin), listens=[port, admin])
    side = Side(admin, {}, None)
    assert side.ask("/logging?level=debug", "POST").body == b"active loggers:\n  tunnel: debug\n"
    assert client.get(port).body == b"hi\n"
    assert tool.err.first(lambda line: " debug " in line, 0, 5), tool.report()


# --- drain and end ---
@needs(peers.envoy_there)
def test_listeners_close_and_connections_live(t):
    origin = t.server(echo)
    for side in chains(t, origin.port):
        with client.connect(side.ports[9999]) as sock:
            exchange(sock, b"before")
            assert side.ask("/drain_listeners", "POST").body.strip() == b"OK"
            wait.until(lambda: not network.listening(side.ports[9999]), 5, "the listener closes")
            assert side.ask("/ready").status == 200
            assert side.ask("/drain_listeners", "POST").status == 200
            exchange(sock, b"after")
            stopped = side.stats()["listener_manager.listener_stopped"]
            assert stopped == (2 if side.program in t.peers_ else 1), "internal listeners go on here, for what is connected"
        wait.until(lambda: side.stats()["listener.127.0.0.1_9999.downstream_cx_active"] == 0, 5, "the connection ends")


def test_a_graceful_drain_of_listeners_takes_the_drain_time(t):
    """Clients of HTTP are asked to finish at once, new ones are taken until then; the process goes on."""
    port, admin = t.port(), t.port()
    tool = t.tool("tcp-chain", "-l", tcp(port), "-t", "respond:200:hi", "--drain", "1s", "--admin", tcp(admin), listens=[port, admin])
    side = Side(admin, {}, None)
    with client.connect(port) as sock:
        assert client.request(sock, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").body == b"hi\n"
        assert side.ask("/drain_listeners?skip_exit", "POST").status == 200
        assert client.read_to_end(sock) == (b"", "end")
    assert client.get(port).body == b"hi\n"
    assert side.ask("/drain_listeners?graceful", "POST").status == 200
    assert client.get(port).body == b"hi\n"
    wait.until(lambda: not network.listening(port), 5, "the listener closes")
    assert side.ask("/ready").body == b"LIVE\n"
    assert side.ask("/drain", "POST").status == 202
    assert tool.wait_exit() == 0, tool.report()


@needs(peers.envoy_there)
def test_a_quit_is_answered_and_ends_at_once(t):
    origin = t.server(echo)
    theirs, own = chains(t, origin.port)
    for side in (theirs, own):
        with client.connect(side.ports[9999]) as sock:
            exchange(sock, b"before")
            assert side.ask("/quitquitquit", "POST").body.strip() == b"OK"
            assert client.read_to_end(sock)[0] == b""
        wait.until(lambda: not network.listening(side.admin), 5, "the process ends")
    assert own.program.wait_exit() == 0, own.program.report()


def test_a_quit_ends_a_drain(t):
    origin, port, admin = t.server(echo), t.port(), t.port()
    tool = t.tool("tcp-chain", "-l", tcp(port), "-t", tcp(origin.port), "--admin", tcp(admin), listens=[port, admin])
    side = Side(admin, {}, None)
    with client.connect(port) as sock:
        exchange(sock, b"before")
        assert side.ask("/drain", "POST").status == 202
        wait.until(lambda: not network.listening(port), 5, "the drain begins")
        assert side.ask("/quitquitquit", "POST").body == b"OK\n"
        assert client.read_to_end(sock)[0] == b""
    assert tool.wait_exit() == 0, tool.report()
