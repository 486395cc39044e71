# SPDX-License-Identifier: Apache-2.0
# The four programs on Debian 12, built from this tree:
#   docker build -t tunnel .
#   docker run --rm --network host tunnel tun-decap -l 10001 --to 'respond:200:Hello, world!'
# A bare port listens on loopback, which in a container is the container's own: publish with -l '*:PORT'.
# Untested here: the machines this project is tested on have no Docker engine. What it runs, the Debian packages, is tested
# (test/debian.py).
FROM debian:12 AS build
COPY test/setup.sh /src/test/setup.sh
RUN /src/test/setup.sh build && apt-get install -y --no-install-recommends dpkg-dev
COPY . /src
WORKDIR /src
RUN cmake --preset package && cmake --build --preset package && cd build/package && cpack -B /packages

FROM debian:12-slim
COPY --from=build /packages/tunnel-tools_*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/tunnel-tools_*.deb \
  && rm -rf /tmp/tunnel-tools_*.deb /var/lib/apt/lists/*
USER nobody
CMD ["tun-run", "--help"]
