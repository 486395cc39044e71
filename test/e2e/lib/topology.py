# SPDX-License-Identifier: Apache-2.0
"""Ways from a port to an origin through our programs, all with JSON access logs. Each returns the port of its entry."""
LOG = ("--access-log", "-", "--log-format", "json")
ONE = ("--workers", "1")


def tcp(port):
    return f"127.0.0.1:{port}"


def run(t, *lines):
    """tun-run, one worker, every line with its access log."""
    return t.run(*(f"{line} --access-log -" for line in lines), options=(*ONE, "--log-format", "json"))


def hops(t, target, count):
    """A chain over `count` internal listeners."""
    entry = t.port()
    names = [f"internal:hop{number}" for number in range(1, count + 1)]
    listens, dials = [tcp(entry), *names], [*names, tcp(target)]
    run(t, *(f"tcp-chain -l {listen} -t {dial}" for listen, dial in zip(listens, dials)))
    return entry


def chain(t, target):
    """Envoy's simple chain: one internal listener."""
    return hops(t, target, 1)


def eight_hops(t, target):
    return hops(t, target, 8)


def decap(t, target, to=None):
    """tun-decap; with `to` it leads there, else it may connect to 127.0.0.1:`target`."""
    port = t.port()
    t.tool("tun-decap", *ONE, *LOG, "-l", tcp(port), *(("--to", to) if to else ("--allow", tcp(target))))
    return port


def encap(t, proxy, target, *more, **options):
    """tun-encap to `proxy` ("h1:127.0.0.1:10001")."""
    port = t.port()
    t.tool("tun-encap", *ONE, *LOG, "-l", tcp(port), "-x", proxy, "--target", target, *more, **options)
    return port


def tunnel(t, target, version):
    """CONNECT between our own ends, an internal hop on each side of it."""
    inner = t.port()
    run(t, f"tun-decap -l {tcp(inner)} --to internal:decapsulated", f"tcp-chain -l internal:decapsulated -t {tcp(target)}")
    entry = t.port()
    run(t, f"tcp-chain -l {tcp(entry)} -t internal:encapsulate",
        f"tun-encap -l internal:encapsulate -x {version}:{tcp(inner)} --target {tcp(target)}")
    return entry


def h1_tunnel(t, target):
    return tunnel(t, target, "h1")


def h2_tunnel(t, target):
    return tunnel(t, target, "h2c")


def plain_h1_tunnel(t, target):
    """CONNECT over HTTP/1.1 without any internal listener."""
    return encap(t, f"h1:{tcp(decap(t, target))}", tcp(target))


def plain_h2_tunnel(t, target):
    return encap(t, f"h2c:{tcp(decap(t, target))}", tcp(target))
