# SPDX-License-Identifier: Apache-2.0
"""Every sample run by Envoy and by us, the same script at both: each difference is a row of the README's table, and each row a difference.

Each sample is run twice by each: as it stands, for what its client and its origin see, and with an access log and an admin server added,
for what is recorded of it.
"""
from lib import differential, peers
from lib.case import limit, needs
from lib.envoy_samples import ROWS, SAMPLES
from lib.recorded import Recorded


def faults(found, table):
    """What is wrong: differences without a row, rows without a difference, and texts a row quotes that nobody saw."""
    if table.keys() != ROWS.keys():
        yield f"the README has the rows {sorted(table)}, lib/envoy_differences.py the rows {sorted(ROWS)}"
    cases = {row: [one for one in found if any(case.fits(one) for case in ROWS[row])] for row in ROWS}
    for one in found:
        if not any(one in of_row for of_row in cases.values()):
            yield f"no row tells of {one}"
    for row, of_row in cases.items():
        if not of_row:
            yield f"{row} is no difference any more"
        for case in ROWS[row]:
            if of_row and not any(case.fits(one) for one in of_row):
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
