# SPDX-License-Identifier: Apache-2.0
"""A real sshd on loopback, of this test alone, and clients that reach it by a ProxyCommand."""
import getpass
import os
import subprocess

from . import peers


class Server:
    """sshd with keys and configuration of its own; whoever runs the test may log in, with `identity`."""

    def __init__(self, t, port=None):
        self.port, self.folder = port or t.port(), os.path.join(t.tmp, "ssh")
        os.mkdir(self.folder, 0o700)
        for name in ("host", "identity"):
            subprocess.run([peers.find("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", self.path(name)], check=True)
        if os.getuid() == 0:
            os.makedirs("/run/sshd", 0o755, exist_ok=True)  # where it locks its unprivileged part in
        self.write("sshd_config", f"""
            ListenAddress 127.0.0.1:{self.port}
            HostKey {self.path("host")}
            AuthorizedKeysFile {self.path("identity.pub")}
            PidFile none
            PermitRootLogin yes
            PasswordAuthentication no
            StrictModes no
            UsePAM no
            PrintLastLog no
            PrintMotd no
            Subsystem sftp internal-sftp
            """)
        with open(self.path("host.pub"), encoding="ascii") as file:
            self.write("known_hosts", f"* {file.read()}")
        t.peer("sshd", [peers.find("sshd"), "-D", "-e", "-f", self.path("sshd_config")], [self.port])

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write("\n".join(line.strip() for line in text.splitlines()) + "\n")

    def options(self, proxy_command):
        """Options of ssh and scp: nothing of the user's own configuration, never a question."""
        settings = {"ProxyCommand": proxy_command, "UserKnownHostsFile": self.path("known_hosts"), "IdentityFile": self.path("identity"),
                    "IdentitiesOnly": "yes", "BatchMode": "yes", "StrictHostKeyChecking": "yes", "Port": self.port,
                    "User": getpass.getuser(), "LogLevel": "ERROR"}
        return ["-F", "none", *(word for name, value in settings.items() for word in ("-o", f"{name}={value}"))]
