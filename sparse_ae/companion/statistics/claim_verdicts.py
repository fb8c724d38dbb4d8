"""One verdict per claim, from the verdicts of its measures.

"reproduced": all intervals of the claim's measures lie on the claimed side. "in part": some do, the
others are open or the runs cannot test them, and none lies wholly on the other side.
"contradicted": one lies wholly on the other side. Otherwise "not resolved". For C4, whose measures
are one gain in several units, "depends on the unit" where two units say opposite things. A verdict
that rests only on differences too small to matter adds "by little".
"""

from __future__ import annotations

import pandas as pd

from sparse_ae.companion.statistics.verdicts import (
    CONTRADICTED,
    NO_RUN,
    NOT_RESOLVED,
    NOT_TESTED,
    REPRODUCED,
)

IN_PART, DEPENDS, BY_LITTLE = "in part", "depends on the unit", ", by little"
IN_UNITS = ("C4",)  # claims whose measures are one quantity in several units


def combine_verdicts(measured: pd.DataFrame) -> str:
    """Return the verdict of a claim.

    Args:
        measured: The claim's rows of `verdicts.measure_claims`. Measures that do not decide do not
            count.
    """
    if measured.empty:
        return NOT_TESTED
    part = measured[measured["decides"]]
    tested = part[~part["verdict"].isin((NOT_TESTED, NO_RUN))]
    if tested.empty:
        return measured["verdict"].iloc[0]
    found = set(tested["verdict"])
    if measured["claim"].iloc[0] in IN_UNITS and {REPRODUCED, CONTRADICTED} <= found:
        return DEPENDS
    decisive = next((v for v in (CONTRADICTED, REPRODUCED) if v in found), None)
    if decisive is None:
        return NOT_RESOLVED
    little = BY_LITTLE * bool(part[part["verdict"] == decisive]["small"].all())
    partly = decisive == REPRODUCED and set(part["verdict"]) != {REPRODUCED}
    return (IN_PART if partly else decisive) + little
