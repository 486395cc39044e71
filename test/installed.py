#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What `cmake --install` leaves behind, as strangers find it: the files, one version everywhere, a consumer project built with
CMake and with pkg-config against the installed tree alone.

installed.py [--build DIR]   one line a check; the last line is "N passed, N failed, N skipped"  [build/release]
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
CONSUMER = os.path.join(ROOT, "test", "consumer")
PROGRAMS = ("tun-encap", "tun-decap", "tcp-chain", "tun-run")
PATIENCE = 240  # seconds, for a build on a busy machine
MOST_EXPOSED = 2.0


class Skip(Exception):
    """Something the check needs is not there."""


def run(*argv, check=True, **more):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(argv)} ended with {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    return done.stdout + done.stderr


def cached(build, name):
    with open(os.path.join(build, "CMakeCache.txt"), encoding="utf-8") as file:
        return re.search(rf"^{name}:\w+=(.*)$", file.read(), re.M)[1]


def names(*pattern):
    return {os.path.basename(path) for path in glob.glob(os.path.join(*pattern))}


def same(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r}, not {wanted!r}")


class Checks:
    def __init__(self, build, work):
        self.build, self.work, self.prefix = build, work, os.path.join(work, "prefix")
        self.version = cached(build, "CMAKE_PROJECT_VERSION")
        self.compiler = cached(build, "CMAKE_CXX_COMPILER")
        self.count = {"passed": 0, "failed": 0, "skipped": 0}

    def check(self, name, call):
        try:
            call()
            self.count["passed"] += 1
            print("ok    " + name, flush=True)
        except Skip as why:
            missing = "failed" if os.environ.get("CI") else "skipped"
            self.count[missing] += 1
            print(f"{'FAIL' if missing == 'failed' else 'skip'}  {name}: {why}", flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            self.count["failed"] += 1
            print(f"FAIL  {name}: {error}", flush=True)

    def install(self):
        run("cmake", "--install", self.build, "--prefix", self.prefix)

    def files(self):
        share = os.path.join(self.prefix, "share")
        same(names(self.prefix, "bin", "*"), set(PROGRAMS))
        same(names(share, "man", "man*", "*"), names(ROOT, "man", "*.[1-9]"))
        same(names(share, "bash-completion", "completions", "*"), set(PROGRAMS))
        same(names(share, "zsh", "*", "*"), {"_" + name for name in PROGRAMS})
        same(names(share, "fish", "vendor_completions.d", "*"), {name + ".fish" for name in PROGRAMS})
        same(names(self.prefix, "lib", "systemd", "system", "*"), {"tun-run@.service"})
        assert {"README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"} <= names(share, "doc", "tunnel", "*")

    def headers(self):
        """The public ones, and no other of this library's."""
        found = {os.path.relpath(os.path.join(folder, name), os.path.join(self.prefix, "include"))
                 for folder, _, files in os.walk(os.path.join(self.prefix, "include")) for name in files}
        same(found, {"tunnel/" + name for name in names(ROOT, "libtunnel", "include", "tunnel", "*.hpp")})

    def one_version(self):
        for program in PROGRAMS:
            said = run(os.path.join(self.prefix, "bin", program), "--version")
            assert said.startswith(f"{program} {self.version} "), said
        same(run("pkg-config", "--modversion", "tunnel", env=self.pkg_config()).strip(), self.version)
        for page in glob.glob(os.path.join(self.prefix, "share", "man", "man*", "*")):
            with open(page, encoding="utf-8") as file:
                assert f"\n.Os tunnel {self.version}\n" in file.read(), f"{page} names no version"

    def pkg_config(self):
        folder = os.path.dirname(glob.glob(os.path.join(self.prefix, "lib*", "**", "tunnel.pc"), recursive=True)[0])
        return {**os.environ, "PKG_CONFIG_PATH": folder}

    def configure(self, *more, check=True):
        return run("cmake", "-S", CONSUMER, "-B", os.path.join(self.work, "consumer"), "-G", "Ninja",
                   f"-DCMAKE_CXX_COMPILER={self.compiler}", f"-DCMAKE_PREFIX_PATH={self.prefix}", *more, check=check)

    def with_cmake(self):
        self.configure()
        run("cmake", "--build", os.path.join(self.work, "consumer"), "-j2")
        same(run(os.path.join(self.work, "consumer", "consumer")).split()[0], self.version)

    def other_versions(self):
        major, minor = (int(part) for part in self.version.split(".")[:2])
        for wanted in (f"{major}.{minor + 1}", f"{major + 1}.0"):
            said = self.configure(f"-DTUNNEL_WANTED={wanted}", check=False)
            assert "compatible with requested version" in " ".join(said.split()), said[-500:]

    def hidden(self):
        """Whoever builds a library of their own with ours inside does not export ours."""
        shown = run("nm", "-DC", "--defined-only", os.path.join(self.work, "consumer", "libplugin.so"))
        ours = [line for line in shown.splitlines() if "tunnel::" in line and "plugin_workers" not in line]
        assert "plugin_workers" in shown and not ours, ours[:5]

    def with_pkg_config(self):
        flags = run("pkg-config", "--cflags", "--libs", "tunnel", env=self.pkg_config()).split()
        program = os.path.join(self.work, "by-pkg-config")
        run(self.compiler, "-std=c++20", os.path.join(CONSUMER, "consumer.cpp"), "-o", program, *flags)
        same(run(program).split()[0], self.version)

    def unit(self):
        if not shutil.which("systemd-analyze"):
            raise Skip("systemd-analyze is not installed (test/setup.sh installs it)")
        unit = os.path.join(self.work, "tun-run@.service")
        with open(os.path.join(self.prefix, "lib", "systemd", "system", "tun-run@.service"), encoding="utf-8") as file:
            text = file.read()
        assert f"ExecStart={cached(self.build, 'CMAKE_INSTALL_PREFIX')}/bin/tun-run " in text, text
        # The pages are not installed where man looks, and the program stands elsewhere.
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.M)
        with open(unit, "w", encoding="utf-8") as file:
            file.write(re.sub(r"=\S*/bin/tun-run", f"={self.prefix}/bin/tun-run", text))
        said = [line for line in run("systemd-analyze", "verify", unit, check=False).splitlines() if "tun-run@" in line]
        assert not said, said
        exposed = run("systemd-analyze", "security", "--offline=true", unit, check=False)
        level = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", exposed)[1])
        assert level <= MOST_EXPOSED, f"an exposure of {level}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    build = os.path.abspath(parser.parse_args().build)
    with tempfile.TemporaryDirectory(prefix="tunnel-installed-") as work:
        checks = Checks(build, work)
        for name, call in (("cmake --install", checks.install), ("files", checks.files), ("public headers only", checks.headers),
                           ("one version everywhere", checks.one_version),
                           ("a consumer with CMake; every header alone", checks.with_cmake),
                           ("a library with ours inside shows nothing of it", checks.hidden),
                           ("other versions are not taken for this one", checks.other_versions),
                           ("a consumer with pkg-config", checks.with_pkg_config), ("the systemd unit", checks.unit)):
            checks.check(name, call)
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**checks.count))
    return 1 if checks.count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
