# SPDX-License-Identifier: Apache-2.0
"""Envoy's samples with what is done to each, for tests that run them by Envoy and by us; and every row there is about what then differs."""
from .envoy_differences import ROWS as SEEN
from .envoy_http_scripts import ENCAPSULATED, TERMINATED, nobody_listens_http
from .envoy_scripts import (ANSWERS_H1, ANSWERS_H2, ANSWERS_PASSED_BACK, REQUESTS_H1, REQUESTS_H2, asked_over_h1, asked_over_h2, closes,
                               connected_h1, connected_h2, connected_without_a_host, down, ended_with_its_head, goaway_then_the_next,
                               nobody_listens_h1, nobody_listens_h2, over_before_an_answer, passed_on_from_h1, passed_on_from_h2,
                               reset_before_an_answer, reset_by_the_next_proxy, trailers_end_it, trailers_of_the_client)
from .recorded_differences import RECORDS
from .tunnel_ends import (CONNECT_H2, POST_H2, open_chain, open_encap_h1, open_encap_h2, open_proxy_h1, open_proxy_h2, open_terminate_h1,
                             open_terminate_h2, open_terminate_post)

ROWS = {row: SEEN.get(row, []) + RECORDS.get(row, []) for row in {**SEEN, **RECORDS}}


def all_of(*scripts):
    return [(script, True) for script in scripts]


# Sample, where clients come in and where it leads (ports as the file has them), and what is done with it.
SAMPLES = [
    ("internal_listener_proxy", 9999, 10000, down() + closes(open_chain)),
    ("encapsulate_in_http1_connect", 10000, 10001,
     down() + all_of(asked_over_h1) + ANSWERS_H1 + [over_before_an_answer("ends"), over_before_an_answer("resets")] + closes(open_encap_h1)),
    ("encapsulate_in_http2_connect", 10000, 10001,
     down() + all_of(asked_over_h2, reset_before_an_answer, trailers_end_it, goaway_then_the_next) + ANSWERS_H2 + closes(open_encap_h2)),
    ("encapsulate_in_http2_post", 10000, 10001,
     down() + all_of(asked_over_h2, reset_before_an_answer) + ANSWERS_H2 + closes(open_encap_h2)),
    ("encapsulate_http_in_http2_connect", 10000, 10001, down(nobody_listens_http) + ENCAPSULATED),
    ("terminate_http1_connect", 10001, 443,
     down(nobody_listens_h1) + all_of(connected_h1, connected_without_a_host) + REQUESTS_H1 + closes(open_terminate_h1)),
    ("terminate_http2_connect", 10001, 443,
     down(nobody_listens_h2(CONNECT_H2)) + all_of(ended_with_its_head, trailers_of_the_client) + [connected_h2(CONNECT_H2)] + REQUESTS_H2
     + closes(open_terminate_h2)),
    ("terminate_http2_post", 10001, 443,
     down(nobody_listens_h2(POST_H2)) + [connected_h2(POST_H2)] + closes(open_terminate_post)),
    ("proxy_connect", 10001, 10002,
     down(nobody_listens_h2(CONNECT_H2)) + all_of(passed_on_from_h2, passed_on_from_h1, reset_by_the_next_proxy) + ANSWERS_PASSED_BACK
     + closes(open_proxy_h2)),
    ("proxy_connect", 10001, 10002, closes(open_proxy_h1)),
    ("terminate_http_in_http2_connect", 10001, None, TERMINATED),
]
