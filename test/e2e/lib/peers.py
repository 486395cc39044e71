# SPDX-License-Identifier: Apache-2.0
"""Somebody else's programs: where they are, how they start, and the reason for a skip where one is missing."""
import json
import os
import re
import shutil
import subprocess

from .case import Skip
from .program import REPO, SYSTEM_PATH
from .wait import SCALE

FOLDER = os.path.join(REPO, "test", "peers")
PINNED = os.environ.get("TUNNEL_PEERS") or os.path.join(REPO, ".peers")
PYTHON = os.path.join(PINNED, "venv", "bin", "python")


def find(name):
    pinned = os.path.join(PINNED, "bin", name)
    return pinned if os.access(pinned, os.X_OK) else shutil.which(name, path=SYSTEM_PATH)


def requirement(name, path, needed=True):
    def check():
        return None if path() else Skip(f"{name} is missing: test/setup.sh tests installs it", needed)
    return check


envoy_there = requirement("Envoy 1.40", lambda: find("envoy"))
nghttpx_there = requirement("nghttpx", lambda: find("nghttpx"))
haproxy_there = requirement("haproxy", lambda: find("haproxy"))
node_there = requirement("Node", lambda: find("node"))
ssh_there = requirement("ssh", lambda: find("ssh"))
sshd_there = requirement("sshd", lambda: find("sshd"))
curl_there = requirement("curl", lambda: find("curl"))
socat_there = requirement("socat", lambda: find("socat"))
socket_activate_there = requirement("systemd-socket-activate", lambda: find("systemd-socket-activate"))
openssl_there = requirement("openssl", lambda: find("openssl"))
pycurl_there = requirement("pycurl", lambda: os.access(PYTHON, os.X_OK))


def h2spec_there():
    if find("h2spec"):
        return None
    has_go = shutil.which("go") is not None
    return Skip("h2spec is missing: it needs Go 1.25 or newer, then test/setup.sh tests installs it", needed=has_go)


def path(name):
    return os.path.join(FOLDER, name)


def envoy(t, file, listens, ports=None, replace=None):
    """Envoy with a file of test/peers. `ports` {old: new} and `replace` {text: text} change it before the start."""
    with open(path(file), encoding="utf-8") as source:
        text = source.read()
    text = re.sub(r"(port_value: |127\.0\.0\.1:)(\d+)", lambda match: match[1] + str((ports or {}).get(int(match[2]), match[2])), text)
    for old, new in (replace or {}).items():
        assert old in text, f"{file} has no {old!r}"
        text = text.replace(old, new)
    config = t.write(f"envoy-{len(t.peers_)}-{file}", text)
    return t.peer("envoy", [find("envoy"), "-c", config, "--disable-hot-restart", "--concurrency", "1", "-l", "error"], listens)


def certificate(t):
    """(key, certificate) of a throw-away certificate for localhost."""
    key, cert = os.path.join(t.tmp, "key.pem"), os.path.join(t.tmp, "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    return key, cert


def nghttpx(t, port, backend, protocol="h2", tls=True):
    """A forward-proxy front on `port`, TLS (h2 by ALPN) or clear, that passes CONNECT on to `backend` over h2c or http/1.1."""
    words = [find("nghttpx"), "--conf=/dev/null", "-s", "-n1", "--no-ocsp", f"--errorlog-file={t.tmp}/nghttpx.log",
             f"-f127.0.0.1,{port}" + ("" if tls else ";no-tls"), "-b", f"127.0.0.1,{backend};;proto={protocol}"]
    return t.peer("nghttpx", words + (list(certificate(t)) if tls else []), [port])


def haproxy(t, clear_port, tls_port, backend):
    """h2 CONNECT in (clear and TLS), h1 CONNECT out to `backend`."""
    key, cert = certificate(t)
    both = t.write("both.pem", read(cert) + read(key))
    config = read(path("haproxy-h2-front.cfg")).replace(":3004", f":{clear_port}").replace(":3005", f":{tls_port}")
    config = t.write("haproxy.cfg", config.replace("127.0.0.1:10001", f"127.0.0.1:{backend}"))
    return t.peer("haproxy", [find("haproxy"), "-db", "-f", config], [clear_port, tls_port], env={"PEM": both})


def read(file):
    with open(file, encoding="utf-8") as source:
        return source.read()


def output(words, seconds=30, status=0):
    """Runs a client to its end and returns its stdout; AssertionError unless its exit status is `status` (None: any)."""
    done = subprocess.run([str(word) for word in words], capture_output=True, timeout=seconds * SCALE, check=False,
                          env={**os.environ, "PATH": SYSTEM_PATH})
    said = "\n".join(raw.decode(errors="replace")[-2000:] for raw in (done.stdout, done.stderr))
    assert status is None or done.returncode == status, f"{words} ended with status {done.returncode}:\n{said}"
    return done.stdout


def curl(*words, **options):
    """curl without a configuration file and without proxies of the environment."""
    return output([find("curl"), "-q", "--noproxy", "none.invalid", "-sS", "--max-time", str(int(20 * SCALE)), *words], **options)


def pycurl(kind, port, url):
    """The body of a GET in CONNECT by libcurl: kind h1 (clear proxy) or h2 (TLS proxy)."""
    text = output([PYTHON, path("connect.py"), kind, port, url]).decode()
    protocols, body = text.split("] ", 1)
    assert kind == "h1" or "h2" in protocols or "HTTP/2" in protocols, f"the proxy did not speak HTTP/2: {text[:300]}"
    return body.strip()


def node_get(port, authority, url_path="/"):
    """The body of an HTTP/1.0 GET in a clear HTTP/2 CONNECT by Node."""
    lines = output([find("node"), path("h2c-connect.js"), port, authority, url_path]).decode().splitlines()
    assert lines[0] == "CONNECT 200", lines
    return json.loads(lines[1].split(" ", 1)[1])


def node_tunnel(port, authority, mode, size=0):
    """Node's view of one h2c CONNECT stream (h2-tunnel.js): {"status", "fields", "bytes", "sha256", "ended", "code"}."""
    return json.loads(output([find("node"), path("h2-tunnel.js"), port, authority, mode, size], seconds=45))
