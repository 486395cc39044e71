#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Debian packages: built, judged by lintian, built again to the same bytes, and installed, run and purged in a Debian of
their own (debootstrap; needs root and a mirror, and keeps the bare tree in $TUNNEL_PEERS for the next time).

debian.py   one line a check; the last line is "N passed, N failed, N skipped". With CI set a skipped check is a failed one.
"""
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
BUILD = os.path.join(ROOT, "build", "package")
PEERS = os.environ.get("TUNNEL_PEERS", os.path.join(ROOT, ".peers"))
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
PROGRAMS = ("tun-encap", "tun-decap", "tcp-chain", "tun-run")
PATIENCE = 300  # seconds, for one command on a busy machine
EPOCH = "1767225600"  # some moment: the start of 2026

# In the tree: an answer given on the spot, fetched over a TCP connection by the shell itself.
TRY = r"""
set -e
tcp-chain -l 127.0.0.1:8099 -t 'respond:200:Hello from the package' & program=$!
for _ in $(seq 200); do grep -qi ':1FA3 .* 0A ' /proc/net/tcp && break; sleep 0.05; done
exec 3<>/dev/tcp/127.0.0.1/8099
printf 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&3
cat <&3
kill -TERM $program
wait $program
"""


class Skip(Exception):
    """Something the check needs is not there."""


def run(*argv, check=True, **more):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)[:200]} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout + done.stderr


class Checks:
    def __init__(self, work):
        self.work, self.packages, self.tree = work, {}, os.path.join(work, "tree")
        self.count = {"passed": 0, "failed": 0, "skipped": 0}

    def check(self, name, call):
        try:
            call()
            self.count["passed"] += 1
            print("ok    " + name, flush=True)
            return True
        except Skip as why:
            missing = "failed" if os.environ.get("CI") else "skipped"
            self.count[missing] += 1
            print(f"{'FAIL' if missing == 'failed' else 'skip'}  {name}: {why}", flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            self.count["failed"] += 1
            print(f"FAIL  {name}: {error}", flush=True)
        return False

    def pack(self, folder):
        """{package: path}, packed into `folder`."""
        run("cpack", "-B", folder, cwd=BUILD, env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH})
        return {os.path.basename(path).split("_")[0]: path for path in glob.glob(os.path.join(folder, "*.deb"))}

    def build(self):
        if not shutil.which("dpkg-shlibdeps"):
            raise Skip("dpkg-shlibdeps is not installed (test/setup.sh installs dpkg-dev)")
        run("cmake", "--preset", "package", "-DTUNNEL_WERROR=ON", cwd=ROOT)  # as the release build: ccache has its objects
        run("cmake", "--build", BUILD, "-j", str(os.cpu_count()))
        self.packages = self.pack(os.path.join(self.work, "first"))
        assert set(self.packages) == {"tunnel-tools", "libtunnel-dev"}, self.packages

    def depends(self):
        tools = run("dpkg-deb", "-f", self.packages["tunnel-tools"], "Depends")
        for library in ("libc6", "libnghttp2-14", "libre2-9", "libssl3", "libfmt9", "libspdlog1.10", "libboost-program-options1.81.0"):
            assert library in tools, f"{library} is not in: {tools}"
        files = run("dpkg-deb", "-c", self.packages["tunnel-tools"])
        for name in PROGRAMS:
            for path in (f"usr/bin/{name}", f"usr/share/man/man1/{name}.1.gz", f"usr/share/bash-completion/completions/{name}",
                         f"usr/share/zsh/vendor-completions/_{name}", f"usr/share/fish/vendor_completions.d/{name}.fish"):
                assert f"./{path}\n" in files, f"no {path}"
        assert "/systemd/system/tun-run@.service\n" in files, "no unit"
        files = run("dpkg-deb", "-c", self.packages["libtunnel-dev"])
        for path in ("libtunnel.a", "pkgconfig/tunnel.pc", "cmake/tunnel/tunnel-config.cmake"):
            assert re.search(rf"\./usr/lib/[a-z0-9_-]+-linux-gnu/{re.escape(path)}\n", files), f"no {path}"

    def same_again(self):
        """Later and in another folder: the same bytes."""
        time.sleep(1.1)  # a time stamp of the clock would differ
        again = self.pack(os.path.join(self.work, "second"))
        for name, path in self.packages.items():
            sums = [hashlib.sha256(open(one, "rb").read()).hexdigest() for one in (path, again[name])]
            assert sums[0] == sums[1], f"{name} differs"

    def open_to_all(self):
        """Whoever packs may have a private umask; what is installed must not (cpack writes it into the archive's own head too,
        so that the packages as a whole differ)."""
        before = os.umask(0o077)
        try:
            private = self.pack(os.path.join(self.work, "private"))
        finally:
            os.umask(before)
        for name, path in self.packages.items():
            assert run("dpkg-deb", "-c", path) == run("dpkg-deb", "-c", private[name]), f"{name} has other modes"

    def lintian(self):
        if not shutil.which("lintian"):
            raise Skip("lintian is not installed (test/setup.sh installs it)")
        options = ["--allow-root"] if os.geteuid() == 0 else []
        said = run("lintian", *options, *self.packages.values(), check=False)
        errors = [line for line in said.splitlines() if line.startswith("E:")]
        assert not errors, errors
        for line in said.splitlines():
            print("      " + line)

    def bare_tree(self):
        if os.geteuid() != 0:
            raise Skip("debootstrap needs root")
        if not shutil.which("debootstrap"):
            raise Skip("debootstrap is not installed (test/setup.sh installs it)")
        kept = os.path.join(PEERS, "bookworm.tar")
        if not os.path.exists(kept):
            done = subprocess.run(["debootstrap", "--variant=minbase", "bookworm", self.tree, MIRROR],
                                  capture_output=True, text=True, timeout=PATIENCE)
            if done.returncode != 0:
                raise Skip(f"debootstrap from {MIRROR} (DEBIAN_MIRROR) failed: {done.stdout[-300:]}")
            os.makedirs(PEERS, exist_ok=True)
            run("tar", "-C", self.tree, "-cf", kept + ".part", ".")
            os.rename(kept + ".part", kept)
        else:
            os.makedirs(self.tree)
            run("tar", "-C", self.tree, "-xpf", kept)
        shutil.copy("/etc/resolv.conf", os.path.join(self.tree, "etc", "resolv.conf"))
        for path in self.packages.values():
            shutil.copy(path, os.path.join(self.tree, "tmp"))
        os.makedirs(os.path.join(self.tree, "proc"), exist_ok=True)

    def inside(self, *argv, check=True):
        """In the tree, with a /proc that goes away with the command."""
        return run("unshare", "--mount", "--pid", "--fork", "sh", "-c",
                   'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"', self.tree, *argv, check=check,
                   env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"})

    def listing(self):
        """What the tree holds, but for what apt and dpkg note for themselves."""
        skipped = ("var/lib/dpkg", "var/lib/apt", "var/cache", "var/log", "proc", "tmp", "etc/ld.so.cache")
        found = set()
        for folder, folders, files in os.walk(self.tree):
            for name in folders + files:
                path = os.path.relpath(os.path.join(folder, name), self.tree)
                if not path.startswith(skipped):
                    found.add(path)
        return found

    def install(self):
        self.inside("apt-get", "update", "-q")
        self.inside("sh", "-c", "apt-get install -y -q --no-install-recommends /tmp/tunnel-tools_*.deb")
        for program in PROGRAMS:
            assert self.inside(program, "--version").startswith(program + " "), program
        said = self.inside("bash", "-c", TRY)
        assert "HTTP/1.1 200" in said and "Hello from the package" in said, said
        assert "tunnel-tools" in self.inside("dpkg", "-s", "tunnel-tools")

    def purge(self):
        before = self.listing()
        self.inside("dpkg", "--purge", "tunnel-tools")
        gone = before - self.listing()
        assert "usr/bin/tun-run" in gone and len(gone) > 20, gone
        left = [path for path in self.listing() if re.search(r"tunnel-tools|tun-(run|encap|decap)|tcp-chain", path)]
        assert not left, left
        assert "not installed" in self.inside("dpkg", "-s", "tunnel-tools", check=False)

    def development(self):
        """Its dependencies can be had; the files come and go (without those, which are 200 MB)."""
        self.inside("sh", "-c", "apt-get install -s --no-install-recommends /tmp/libtunnel-dev_*.deb")
        before = self.listing()
        self.inside("sh", "-c", "dpkg --force-depends -i /tmp/libtunnel-dev_*.deb")
        assert os.path.exists(os.path.join(self.tree, "usr/include/tunnel/stream.hpp"))
        self.inside("dpkg", "--purge", "libtunnel-dev")
        assert self.listing() == before, self.listing() ^ before


def main():
    with tempfile.TemporaryDirectory(prefix="tunnel-debian-") as work:
        checks = Checks(work)
        if checks.check("cpack makes tunnel-tools and libtunnel-dev", checks.build):
            checks.check("what they hold and need", checks.depends)
            checks.check("packed again, they are the same bytes", checks.same_again)
            checks.check("a private umask changes nothing of what is installed", checks.open_to_all)
            checks.check("lintian finds no error", checks.lintian)
            if checks.check("a Debian of its own", checks.bare_tree):
                checks.check("installed there, the programs run", checks.install)
                checks.check("purged, nothing is left", checks.purge)
                checks.check("libtunnel-dev comes and goes", checks.development)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**checks.count))
    return 1 if checks.count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
