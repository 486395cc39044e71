# SPDX-License-Identifier: Apache-2.0
"""What a program records of a script of differential.py: the lines of its access logs, and by how much its counters grew.

It runs a copy of a sample, with an access log at every filter and an admin server. Which script a line is of, its time tells. Counters
are those that we have, and those that Envoy has for what these samples are made of; how full something is (gauges) is not among them.
"""
import datetime
import json
import os
import re

from . import client, wait
from .differential import NOTHING, Sample

FIELDS = {"start": "%START_TIME%", "protocol": "%PROTOCOL%", "code": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%",
          "details": "%RESPONSE_CODE_DETAILS%", "received": "%BYTES_RECEIVED%", "sent": "%BYTES_SENT%", "cluster": "%UPSTREAM_CLUSTER%",
          "upstream": "%UPSTREAM_HOST%", "method": "%REQ(:METHOD)%", "path": "%REQ(:PATH)%", "authority": "%REQ(:AUTHORITY)%",
          "remote": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%", "local": "%DOWNSTREAM_LOCAL_ADDRESS%",
          "local port": "%DOWNSTREAM_LOCAL_PORT%", "type": "%ACCESS_LOG_TYPE%"}
LOG = """{indent}access_log:
{indent}- name: recorded
{indent}  typed_config:
{indent}    "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
{indent}    path: {path}
{indent}    log_format: {{json_format: {fields}}}
"""
ADMIN = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9900}}}\n"
COUNTED = re.compile(r"(listener\.(127\.0\.0\.1|envoy_internal)_|tcp\.|http\.(?!admin)|cluster\.).*(?<!_active)(?<!_buffered)")
# What design/envoy.md lists (1.1, 1.4, 1.5): what we have no counter for, and all of it.
NOT_OURS = (r"(listener\.\w+(\.0\.0\.\w+)?\.(downstream_(cx_(overflow|overload_reject|transport_socket_connect_timeout)|pre_cx_timeout|"
            r"listener_filter_(error|remote_close))|no_filter_chain_match)|"
            r"tcp\.\w+\.(downstream_(cx_(no_route|drain_close|overload_close)|flow_control_\w+)|early_data_\w+|idle_timeout|"
            r"max_downstream_connection_duration|route_delayed_total|upstream_flush_total)|"
            r"http\.\w+\.downstream_(cx_protocol_error|rq_ws_on_non_ws_route)|"
            r"cluster\.\w+\.upstream_(cx_connect_attempts_exceeded|rq_(pending_failure_eject|timeout|max_duration_reached)))")
LISTED = re.compile(NOT_OURS + r"|listener\.\w+(\.0\.0\.\w+)?\.(downstream_cx_(total|destroy)|downstream_global_cx_overflow|"
                               r"worker_0\.downstream_cx_total)|"
                               r"listener\..*\.http\.\w+\.downstream_rq_[1-5]xx|"
                               r"tcp\.\w+\.downstream_cx_(total|[rt]x_bytes_total)|"
                               r"http\.\w+\.(downstream_(cx_(upgrades|http[12])_total|rq_[1-5]xx)|no_route|rq_total|rq_direct_response)|"
                               r"cluster\.\w+\.upstream_cx_connect_fail")


class Recorded(Sample):
    """A sample whose run by one side is recorded."""

    def changed_(self, t, text):
        self.log_ = t.write(f"{t.port()}.log", "")
        where = iter("abcd")  # several filters may have one stat_prefix

        def logged(found):
            fields = json.dumps({"of": f"{found[2]} {next(where)}", **FIELDS})
            return found[0] + LOG.format(indent=found[1], path=self.log_, fields=fields)
        text = re.sub(r"^( +)stat_prefix: (\S+)\n", logged, text, flags=re.M)
        return text if "\nadmin:" in text else text + ADMIN

    def start(self, t, side):
        super().start(t, side)
        self.admin_ = next(port for number, port in self.ports_.items() if 9900 <= number < 9910)
        self.until_, self.before_ = [], self.counters_()

    def counters_(self):
        with client.connect(self.admin_) as sock:
            answer = client.request(sock, b"GET /stats?format=json HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert answer.status == 200, answer
        stats = {one["name"]: one["value"] for one in json.loads(answer.body)["stats"] if "value" in one}
        self.open_ = stats[f"listener.127.0.0.1_{self.entry}.downstream_cx_active"]
        return {name: value for name, value in stats.items() if COUNTED.fullmatch(name)}

    def at_rest_(self, gone):
        """The counters, once they have stood still for five looks, and `gone`: once nobody is connected."""
        looks = [self.counters_()]

        def still():
            looks.append(self.counters_())
            return not (gone and self.open_) and len(looks) >= 5 and all(one == looks[-1] for one in looks[-5:])
        wait.until(still, 20, "every client has gone and every counter stands", every=0.03)
        return looks[-1]

    def clients_left(self):
        """Else which end comes first would be left to chance, and with it what is logged as the cause."""
        self.at_rest_(gone=False)

    def played(self, script, notes):
        now = self.at_rest_(gone=True)
        grown = {name: value - self.before_.get(name, 0) for name, value in now.items()}
        self.before_ = now
        self.until_.append((next_millisecond(), script))
        return {f"stat {self.as_in_file_(name)}": str(value) for name, value in grown.items()}

    def as_in_file_(self, name):
        for number, port in self.ports_.items():
            name = re.sub(rf"(?<=^listener\.127\.0\.0\.1_){port}\b", str(number), name)
        return name

    def ended(self):
        seen, lines = {}, {}
        with open(self.log_, encoding="utf-8") as file:
            for line in map(json.loads, file):
                started = datetime.datetime.fromisoformat(line.pop("start"))
                script = next(name for until, name in self.until_ if started < until)
                lines.setdefault((script, line.pop("of")), []).append(line)
        assert lines, f"{self.name} has logged nothing"
        for (script, of), some in lines.items():
            for number, line in enumerate(some):
                seen.update({(script, f"log {of} {number}: {key}"): self.masked(said(value)) for key, value in line.items()})
        return seen

    def compares(self, label, envoy, ours):
        """Envoy counts far more than what a tunnel is made of."""
        return not label.startswith("stat ") or NOTHING not in (envoy, ours) or envoy == NOTHING or bool(LISTED.fullmatch(label[5:]))


def said(value):
    return "null" if value is None else str(value)


def next_millisecond():
    """The first that has not begun: what happens from now on has a time, cut to milliseconds, of this one or later."""
    def cut():
        now = datetime.datetime.now(datetime.timezone.utc)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
    last = cut()
    return wait.until(lambda: (now := cut()) > last and now, 1, "the clock goes on", every=0.0005)
