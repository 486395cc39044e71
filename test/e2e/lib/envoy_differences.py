# SPDX-License-Identifier: Apache-2.0
"""Which differences a row of the README's table "Where we differ from Envoy" is about.

A case is (where, Envoy, ours): `where` matches all of "SAMPLE SCRIPT LABEL", the other two occur in what was seen there. A difference
must be a case of some row, and every row must have one.
"""
import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Case:
    where: str
    envoy: str = ""
    ours: str = ""

    def fits(self, difference):
        return (re.fullmatch(self.where, difference.where) and re.search(self.envoy, difference.envoy)
                and re.search(self.ours, difference.ours))


UNREACHABLE = r".* (nobody_listens\w*|refused_\w+|the_proxy_closes|no_answer|an_answer_that_is_none|reset_by_the_next_proxy)"
MALFORMED = r".* (no_host|a_connect|no_request_at_all|connect_with_a_path|connect_with_a_length|connect_in_chunks)"
REFUSED = r"(nobody_listens|answered_(101|302|403|503|with_garbage)\w*|the_proxy_\w+_before_an_answer)"

ROWS = {
    # --- what an answer says ---
    "D1": [Case(r".* field server", "envoy", "nothing|theirs")],
    "D2": [Case(r".* field proxy-status", "^nothing", "^tunnel")],
    "D3": [Case(r".* field (x-forwarded-proto|x-request-id|x-envoy-.*)", "", "^nothing")],
    "D4": [Case(UNREACHABLE + " answer: status", "503", "502"),
           Case(UNREACHABLE + " answer(: body|: then)?", "upstream connect error", "502 Bad Gateway"),
           Case(UNREACHABLE + " answer: field content-length")],
    "D5": [Case(MALFORMED + " answer: body", "^b'(Bad Request|Not Implemented|)'$", r"^b'(400 Bad Request|Not Found: )"),
           Case(MALFORMED + " answer: field content-(length|type)")],
    "D6": [Case(r".* (a_get|an_unknown_method|a_get_outside) answer: status", "40[04]", "405"),
           Case(r".* (a_get|an_unknown_method|a_get_outside) answer: (body|then|field (allow|connection|content-type|content-length))")],
    "D7": [Case(r".* a_websocket answer: status", "40[34]", "501"),
           Case(r".* a_websocket answer: (body|then|field (connection|content-type|content-length))")],
    "D8": [Case(r"proxy_connect answered_\d+ answer: field content-length", "nothing", "^0$")],
    # --- which requests are served ---
    "D9": [Case(r".* (http_1_0|connect_in_http_1_0) (status|statuses|answer: status)", "426", "200"),
           Case(r".* (http_1_0|connect_in_http_1_0) (bodies|then|answer.*)")],
    "D10": [Case(r".* connected_without_a_host answer", "200", "400")],
    "D11": [Case(r"terminate_http1_connect connect_in_chunks answer: status", "501", "400")],
    "D12": [Case(r".* connect_with_(a_length|another_host) answer: status", "200", "400"),
            Case(r"terminate_http2_connect connect_with_(a_length|another_host) answer: (then|field content-.*)")],
    "D13": [Case(r".* connect_with_path_and_scheme answer", "connection", "RST_STREAM 1")],
    "D14": [Case(r".* extended_connect answer: status", "404", "nothing"), Case(r".* extended_connect answer", "nothing", "RST_STREAM 1"),
            Case(r".* extended_connect answer: (body|then|field date)", "", "nothing")],
    "D15": [Case(r".* request: field proxy-authorization", "Basic", "nothing")],
    "D16": [Case(r".* hop_by_hop_fields request: field connection", "nothing", "te")],
    # --- which tunnels are opened ---
    "D17": [Case(r"encapsulate_in_http2_\w+ answered_2(02|99) client", "^b''", "hello"),
            Case(r"encapsulate_in_http2_\w+ answered_2(02|99) (then|proxy)", "end|RST_STREAM 2", "open"),
            Case(r".* agreed_with_202 answer: status", "503", "200"), Case(r".* agreed_with_202 .*"),
            Case(r"encapsulate_in_http2_connect answered_204_and_ended proxy", "RST_STREAM 2", "open")],
    "D18": [Case(r"encapsulate_in_http2_connect answered_200_and_ended proxy", "RST_STREAM 2", "open")],
    "D19": [Case(r"encapsulate_in_http2_post answered_20[04]_and_ended client", "^b''", "ConnectionResetError")],
    "D20": [Case(r"encapsulate_in_\w+ reset_before_an_answer client", "end", "open")],
    "D21": [Case(rf"\w+ {REFUSED} client", r"^b''(, end)?$", "reset|ConnectionResetError")],
    # --- how tunnels end ---
    "D22": [Case(r"(encapsulate_in_http1_connect|terminate_http1_connect|proxy_connect) the_client_ends_first client", "b'', end", "down"),
            Case(r"proxy_connect the_client_ends_first origin", "RST_STREAM 2", "END_STREAM"),
            Case(r"proxy_connect the_client_closes origin", "RST_STREAM 2", "END_STREAM"),
            Case(r"encapsulate_in_http1_connect the_origin_ends_first origin", "b'', end", "up")],
    "D23": [Case(r"(terminate_\w+|proxy_connect) the_origin_ends_first origin", "b'', end|RST_STREAM 2", "up"),
            Case(r"(terminate_\w+|proxy_connect) the_origin_(ends_first|closes) client", "END_STREAM, RST_STREAM 0", "END_STREAM$"),
            Case(r"proxy_connect answered_202 answer: then", "RST_STREAM 0", "END_STREAM$")],
    "D24": [Case(r".* the_client_(resets|closes) origin", "b'', end", "b'', reset"),
            Case(r".* the_origin_(resets|closes) client", "b'', end", "b'', reset")],
    "D25": [Case(r".* (the_client_resets|the_client_closes) origin", "RST_STREAM 2", "RST_STREAM (8|10)"),
            Case(r".* the_origin_resets client", "RST_STREAM 2", "RST_STREAM (8|10)"),
            Case(r"encapsulate_in_http2_\w+ answered_\d+_and_ended proxy", "RST_STREAM 2", "RST_STREAM 8")],
    "D26": [Case(r"encapsulate_in_http2_connect trailers_end_it client", "end", "reset"),
            Case(r"terminate_http2_connect trailers_of_the_client (origin|client)", "", "reset|RST_STREAM 1")],
    "D27": [Case(r".* a_get_and_the_end (statuses|bodies)", "none|0", "200|1"),
            Case(r".* the_client_leaves in the tunnel", "RST_STREAM", "open")],
    "D28": [Case(r".* an_answer_that_is_cut answer", "end$", "reset$")],
    "D29": [Case(r"terminate_http_in_\w+ \w+ then", "RST_STREAM 10", "END_STREAM")],
    "D30": [Case(r"terminate_http_in_\w+ a_post then", "RST_STREAM 10", "open")],
}
