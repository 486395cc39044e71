# SPDX-License-Identifier: Apache-2.0
"""connect.py h1|h2 PROXYPORT URL: GET in CONNECT with pycurl (libcurl). h2 = a TLS proxy that speaks HTTP/2; clear h2 is not possible with libcurl."""
import io, sys, pycurl
kind, port, url = sys.argv[1:4]
c, body, log = pycurl.Curl(), io.BytesIO(), []
c.setopt(c.URL, url); c.setopt(c.WRITEDATA, body); c.setopt(c.HTTPPROXYTUNNEL, 1); c.setopt(c.TIMEOUT, 4)
c.setopt(c.PROXY, ("https" if kind == "h2" else "http") + "://127.0.0.1:" + port)
if kind == "h2": c.setopt(c.PROXYTYPE, 3)  # CURLPROXY_HTTPS2; pycurl 7.49 has no name for it
c.setopt(c.PROXY_SSL_VERIFYPEER, 0); c.setopt(c.PROXY_SSL_VERIFYHOST, 0)  # throw-away certificate
c.setopt(c.VERBOSE, 1); c.setopt(c.DEBUGFUNCTION, lambda t, m: log.append(m.decode(errors="replace").strip()) if t == 0 else None)
try: c.perform()
except pycurl.error as e: sys.exit(f"{e.args} {log[-3:]}")
print([l for l in log if "ALPN" in l or "HTTP/2" in l][:3], body.getvalue())
