# SPDX-License-Identifier: Apache-2.0
"""Every sample run by Envoy and by us, the same script at both: each difference is a row of the README's table, and each row a difference.

Each sample is run twice by each: as it stands, for what its client and its origin see, and with an access log and an admin server added,
for what is recorded of it.
"""
import re

from lib import differential, peers
from lib.case import limit, needs
from lib.envoy_differences import ROWS as SEEN
from lib.envoy_http_scripts import ENCAPSULATED, TERMINATED, nobody_listens_http
from lib.envoy_scripts import (ANSWERS_H1, ANSWERS_H2, ANSWERS_PASSED_BACK, REQUESTS_H1, REQUESTS_H2, asked_over_h1, asked_over_h2, closes,
                               connected_h1, connected_h2, connected_without_a_host, down, ended_with_its_head, goaway_then_the_next,
                               nobody_listens_h1, nobody_listens_h2, over_before_an_answer, passed_on_from_h1, passed_on_from_h2,
                               reset_before_an_answer, reset_by_the_next_proxy, trailers_end_it, trailers_of_the_client)
from lib.recorded import Recorded
from lib.recorded_differences import RECORDS
from lib.tunnel_ends import (CONNECT_H2, POST_H2, open_chain, open_encap_h1, open_encap_h2, open_proxy_h1, open_proxy_h2, open_terminate_h1,
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


def is_case(case, difference):
    return (re.fullmatch(case.where, difference.where) and re.search(case.envoy, difference.envoy)
            and re.search(case.ours, difference.ours))


def faults(found, table):
    """What is wrong: differences without a row, rows without a difference, and texts a row quotes that nobody saw."""
    if table.keys() != ROWS.keys():
        yield f"the README has the rows {sorted(table)}, lib/envoy_differences.py the rows {sorted(ROWS)}"
    cases = {row: [one for one in found if any(is_case(case, one) for case in ROWS[row])] for row in ROWS}
    for one in found:
        if not any(one in of_row for of_row in cases.values()):
            yield f"no row tells of {one}"
    for row, of_row in cases.items():
        if not of_row:
            yield f"{row} is no difference any more"
        for case in ROWS[row]:
            if of_row and not any(is_case(case, one) for one in of_row):
                yield f"{row}: nothing differs at {case}"
        for cell, seen in ((table[row].envoy, "envoy"), (table[row].ours, "ours")) if row in table and of_row else ():
            for text in table[row].texts(cell):
                if not any(text in getattr(one, seen) for one in of_row):
                    yield f"{row}: nobody saw `{text}` at {seen}"


@limit(300)
@needs(peers.envoy_there)
def test_every_difference_is_a_row_of_the_readme(t):
    told = list(faults(list(differential.differences(t, SAMPLES, (differential.Sample, Recorded))), differential.rows_of_readme()))
    assert not told, "\n".join(told)


def test_what_is_wrong_with_the_table_is_told(_t):
    """The check itself: a difference nobody tells of, a row that is none, a quotation nobody saw."""
    row = differential.Row("w", "`end`", "`reset`", "r")
    table = {name: row for name in ROWS}
    seen = differential.Difference("internal_listener_proxy", "nobody_listens", "client", "b'', end", "b'', reset")
    told = list(faults([seen], table))
    assert not any(text.startswith(("D21 is", "no row")) for text in told) and "D1 is no difference any more" in told, told
    new = differential.Difference("internal_listener_proxy", "both_ways", "client", "b'pong'", "b''")
    assert f"no row tells of {new}" in list(faults([seen, new], table))
    quoted = {**table, "D21": differential.Row("w", "`soon`", "`reset`", "r")}
    assert "D21: nobody saw `soon` at envoy" in list(faults([seen], quoted))
    del quoted["D21"]
    assert any(text.startswith("the README has the rows") for text in faults([seen], quoted))
