# SPDX-License-Identifier: Apache-2.0
"""Which differences in access logs and counters a row of the README's table is about; the cases are as in envoy_differences.py.

Most follow from what a script does differently, and belong to its row; D31 and on are about records alone.
"""
from .envoy_differences import Case
from .recorded import NOT_OURS

ANY = "(log|stat) .*"
HTTP_LOG = r"log ingress_http \w \d:"
INSIDE = r"terminate_http_in_\w+"

RECORDS = {
    "D1": [Case(rf"{INSIDE} \w+ {HTTP_LOG} sent", r"^1|^262$"),
           Case(rf"{INSIDE} \w+ stat cluster.decap_cluster.upstream_cx_rx_bytes_total")],
    "D3": [Case(r"encapsulate_http_in_\w+ \w+ log tcp_stats b \d: received", r"^\d{3}$"),
           Case(r"encapsulate_http_in_\w+ \w+ stat tcp.tcp_stats.downstream_cx_rx_bytes_total", r"^\d{3}$")],
    "D4": [Case(rf".* {HTTP_LOG} code", "^503$", "^502$"), Case(rf".* {HTTP_LOG} sent", r"^(8\d|9\d|106)$", r"^\d\d+$")],
    "D5": [Case(rf".* {HTTP_LOG} sent", r"^(0|11|15)$", r"^[2-9]\d$")],
    "D6": [Case(rf".* (a_get|a_get_outside|an_unknown_method) {ANY}")],
    "D7": [Case(rf".* a_websocket {ANY}")],
    "D9": [Case(rf".* (http_1_0|connect_in_http_1_0) {ANY}")],
    "D10": [Case(rf".* connected_without_a_host {ANY}")],
    "D11": [Case(rf"terminate_http1_connect connect_in_chunks {HTTP_LOG} code", "501", "400"),
            Case(r"terminate_http1_connect connect_in_chunks stat .*_[45]xx")],
    "D12": [Case(rf"terminate_http2_connect connect_with_(a_length|another_host) {ANY}")],
    "D13": [Case(rf".* connect_with_path_and_scheme {ANY}")],
    "D14": [Case(rf".* extended_connect {ANY}")],
    "D17": [Case(rf"encapsulate_in_http2_\w+ answered_2(02|99) {ANY}"), Case(rf".* agreed_with_202 {ANY}"),
            Case(r"encapsulate_in_http2_connect answered_204_and_ended log .*: flags", "UF,URX", "-")],
    "D18": [Case(r"encapsulate_in_http2_connect answered_200_and_ended log .*: flags", "UF,URX", "-")],
    "D20": [Case(r".* reset_before_an_answer stat cluster.cluster_0.upstream_(cx|rq)_.*", "1", "2")],
    "D22": [Case(r".* the_client_ends_first log .*: sent", "^0$", "^4$"),
            Case(r".* the_client_ends_first stat .*_bytes_total", "^0$", "^[24]$"),
            Case(r"encapsulate_in_http1_connect the_origin_ends_first (log .*: received|stat .*_bytes_total)", "^0$", "^2$")],
    "D23": [Case(r"(terminate_\w+|proxy_connect) the_origin_ends_first (log .*: received|stat .*_bytes_total)", "^0$", "^2$"),
            Case(r"(terminate_\w+|proxy_connect) (the_origin_closes|answered_202) log .*: (flags|details)", "-|via_upstream", "DC|downstream")],
    "D24": [Case(r"encapsulate_in_\w+ the_origin_(resets|closes) log .*: flags", "^-$", "UR")],
    "D26": [Case(r".* trailers_\w+ log .*: (flags|details)")],
    "D27": [Case(rf".* (a_get_and_the_end|the_client_leaves) {ANY}")],
    "D28": [Case(r".* an_answer_that_is_cut log ingress_http .*: (flags|details)")],
    "D29": [Case(rf"{INSIDE} \w+ {HTTP_LOG} (flags|details)", "UC|upstream_reset_after", "DC|downstream")],
    "D31": [Case(r".* log .*: upstream", r"^(127\.0\.0\.1:|envoy:)", "^null$")],
    "D32": [Case(r".* log .*: remote", "^envoy://internal_client_address/$", r"^127\.0\.0\.1$")],
    "D34": [Case(r"(terminate_http1_connect|proxy_connect) \w+ log .*: flags", "^DC$", "^(-|UC)$"),
            Case(r"(terminate_http1_connect|proxy_connect) \w+ log .*: details", "^downstream_remote_disconnect$",
                 "^(via_up|upstream_reset_after)"),
            Case(r"encapsulate_\w+ \w+ log tcp_stats .*: flags", "^-$", "^UR$")],
    "D35": [Case(rf".* {HTTP_LOG} details", r"^http1\.|^missing_host", "^http1.codec_error$"),
            Case(rf".* {HTTP_LOG} details", r"delayed_connect_error|error_with_CONNECT", r"remote_(connection_failure|reset)}$")],
    "D36": [Case(rf".* (refused_\w+|the_proxy_closes) {HTTP_LOG} (flags|details)",
                 r"^UC$|{connection_termination}", "^UF$|connection_failure"),
            Case(r".* (refused_\w+|the_proxy_closes) stat cluster.encap_cluster.upstream_(cx_connect_fail|rq_total)")],
    "D37": [Case(rf".* no_host {HTTP_LOG} (method|path|flags)", "GET|/|-", "null|DPE")],
    "D38": [Case(rf".* stat {NOT_OURS}", r"^\d+$", "^nothing$")],
}
