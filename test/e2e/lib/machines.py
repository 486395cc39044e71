# SPDX-License-Identifier: Apache-2.0
"""Other machines: network namespaces of their own behind a router, one of which may vanish and be replaced by another.

     this test  10.77.1.1 --- router --- 10.77.2.2  two machines of that address, one of which is there

Needs root, for `ip` loses its rights when an ordinary user's namespace runs it.
"""
import os

from . import network, wait
from .case import Skip
from .peers import find, output

ADDRESS = "10.77.2.2"


def machines_possible():
    if not find("ip"):
        return Skip("ip (iproute2) is missing: test/setup.sh tests installs it")
    if os.geteuid() != 0 or not network.own_network_possible():
        return Skip("other machines are network namespaces, and making them needs root", needed=False)
    return None


def ip(*words):
    output([find("ip"), *words])


class Machine:
    """A network namespace, alive as long as a process in it that does nothing."""

    def __init__(self, t, name):
        self.process = t.peer(name, ["unshare", "--net", "sleep", "infinity"], [])
        own = os.readlink("/proc/self/ns/net")
        wait.until(lambda: os.readlink(f"/proc/{self.process.pid}/ns/net") != own, 5, f"{name} has a network of its own")
        self.prefix = ("nsenter", "--net", "--target", str(self.process.pid), "--")
        self.ip("link", "set", "lo", "up")

    def run(self, *words):
        output([*self.prefix, *words])

    def ip(self, *words):
        self.run("ip", *words)

    def start(self, t, name, *arguments):
        """One of our programs on this machine; what it leaves open when it ends is not looked at: its peers may be cut off."""
        program = t.peer(name, [*self.prefix, os.path.join(t.bin, name), "--workers", "1", *arguments], [])
        assert program.err.first(lambda line: "serving with" in line, 0, 15), program.report()


class Road:
    """A router and behind it `here`, the machine that answers at ADDRESS, and `spare`, which would."""

    def __init__(self, t):
        self.router = Machine(t, "router")
        self.here, self.spare = Machine(t, "first machine"), Machine(t, "second machine")
        self.rules = 0
        self.ports, self.devices = {}, {}
        ip("link", "add", "road", "type", "veth", "peer", "name", "near", "netns", str(self.router.process.pid))
        ip("address", "add", "10.77.1.1/24", "dev", "road")
        ip("link", "set", "road", "up")
        self.router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
        self.router.ip("address", "add", "10.77.1.2/24", "dev", "near")
        self.router.ip("link", "set", "near", "up")
        ip("route", "add", "10.77.2.0/24", "via", "10.77.1.2")
        for machine, device in ((self.here, "one"), (self.spare, "two")):
            self.devices[machine] = device
            self.router.ip("link", "add", device, "type", "veth", "peer", "name", "eth", "netns", str(machine.process.pid))
            self.router.ip("address", "add", "10.77.2.1/32", "dev", device)
            machine.ip("address", "add", f"{ADDRESS}/24", "dev", "eth")
            machine.ip("link", "set", "eth", "up")
            machine.ip("route", "add", "default", "via", "10.77.2.1")
        self.lead_to(self.here)

    def lead_to(self, machine):
        for device in self.devices.values():
            self.router.ip("link", "set", device, "up" if device == self.devices[machine] else "down")
        self.router.ip("route", "replace", f"{ADDRESS}/32", "dev", self.devices[machine])

    def replace_machine(self, silent):
        """The machine vanishes and the other takes its address. `silent`: a firewall drops what belongs to connections from before;
        else the new machine, which knows nothing of them, resets them."""
        for _, port, remote, state in network.tcp_table() if silent else ():
            if state == network.ESTABLISHED and remote in self.ports:
                self.rules += 1
                self.router.ip("rule", "add", "pref", str(self.rules), "ipproto", "tcp", "sport", str(port), "dport", str(remote), "blackhole")
        self.here, self.spare = self.spare, self.here
        self.lead_to(self.here)

    def serve(self, t, ports):
        """tun-decap on both machines: {port: where tunnels lead}, of which NAME becomes "first" and "second"."""
        self.ports = ports
        for machine, name in ((self.here, "first"), (self.spare, "second")):
            for port, to in ports.items():
                machine.start(t, "tun-decap", "-l", f"{ADDRESS}:{port}", "--insecure-open", "--to", to.replace("NAME", name))
