"""The claims and their verdicts, judged by `statistics.verdicts`, as a table and a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sparse_ae.companion.completed_runs import paired_difference, paired_seeds
from sparse_ae.companion.statistics.claim_verdicts import combine_verdicts
from sparse_ae.companion.statistics.verdicts import CLAIMS, NO_RUN, NOT_TESTED
from sparse_ae.companion.tables.formatting import number, three_digits
from sparse_ae.companion.tables.methods import t_interval

MANY = 1000  # seeds that nobody will run
NO_BREAK = "\N{NO-BREAK SPACE}"


SHORT_CLAIMS = {
    "C1": "the dimensions correlate",
    "C2": "a line confuses people",
    "C3": "the scale loss spreads them",
    "C4": "crowds gain most",
    "C5": "the group margin grows",
    "C6": "adaptive widths help",
}
CSS_CLASSES = {"reproduced": "for", "in part": "partly", "contradicted": "against"}  # of a verdict


def verdict_cards(measured: pd.DataFrame, claims: Sequence[str] = tuple(CLAIMS)) -> str:
    """Show claims and verdicts at a glance, as HTML.

    Args:
        measured: Table from `verdicts.measure_claims`.
        claims: Which claims.
    """
    cards = []
    for claim in claims:
        verdict = combine_verdicts(measured[measured["claim"] == claim])
        kinds = (name for word, name in CSS_CLASSES.items() if verdict.startswith(word))
        head = f"<dt>{claim}: {SHORT_CLAIMS[claim]}</dt>"
        cards.append(f'<div class="verdict {next(kinds, "open")}">{head}<dd>{verdict}</dd></div>')
    return f'<dl class="verdicts">{"".join(cards)}</dl>'


def verdict_rows(measured: pd.DataFrame) -> pd.DataFrame:
    """Return a row per claim: claim and verdict, for a table of six short rows."""
    rows = [(f"{claim}. {text}", combine_verdicts(measured[measured["claim"] == claim]))
            for claim, text in CLAIMS.items()]  # fmt: skip
    return pd.DataFrame(rows, columns=["claim", "verdict"])


def claims_table(measured: pd.DataFrame, claims: Sequence[str] = tuple(CLAIMS)) -> pd.DataFrame:
    """Make a table of claims and verdicts, as text for a page.

    Args:
        measured: Table from `verdicts.measure_claims`.
        claims: Which claims.

    Returns:
        Columns found and of, indexed by claim, verdict and measure. A claim that the available
        methods cannot test has a row that says so.
    """
    index, rows = [], []
    for claim in claims:
        part = measured[measured["claim"] == claim]
        verdict = combine_verdicts(part)
        for row in part.itertuples():
            label = row.measured if row.decides else f"beside: {row.measured}"
            index.append((f"{claim}. {CLAIMS[claim]}", verdict, label))
            rows.append((_found(row) + _count(row.seeds), _compared(row)))
    table = pd.DataFrame(rows, columns=["found", "of"])
    table.index = pd.MultiIndex.from_tuples(index, names=["claim", "verdict", "measured by"])
    return table


def finding_sentence(records: Sequence[dict]) -> str:
    """Say in two sentences what the paper's method changes, in Markdown.

    Args:
        records: Records of all runs.

    Returns:
        Means over the seeds that both ae8 and rve have; "" without such a seed.
    """
    seeds = paired_seeds(records)
    if not seeds:
        return ""
    runs = {name: [r["metrics"] for r in records if r["method"] == name and r["seed"] in seeds]
            for name in ("ae8", "rve")}  # fmt: skip

    def mean(method: str, metric: str) -> str:
        return number(100 * np.mean([metrics[metric] for metrics in runs[method]]))

    line = 100 * np.mean([metrics["first_component"] for metrics in runs["ae8"]])
    end = "end on a line" if line >= 99.5 else f"end with {number(line)} % on one line"
    return (f"**In Associative Embedding, the embeddings that tell people apart {end}. With the "
            f"paper's method {mean('rve', 'grouping_accuracy')} % of joints are grouped rightly "
            f"instead of {mean('ae8', 'grouping_accuracy')} %, and average precision on rendered "
            f"crowds is {mean('rve', 'AP')} % instead of {mean('ae8', 'AP')} %.**")  # fmt: skip


def gains_sentence(records: Sequence[dict]) -> str:
    """Say in a sentence how much average precision RVE gains on all, hard, medium and easy crowds.

    Args:
        records: Records of all runs.

    Returns:
        Differences from AE in points, paired by seed, with 95 % intervals; "" without a pair of
        runs.
    """
    if not paired_seeds(records):
        return ""
    places = {"AP": "in all", "AP_hard": "on hard crowds", "AP_medium": "on medium ones",
              "AP_easy": "on easy ones"}  # fmt: skip
    parts = []
    for metric, where in places.items():
        values = 100 * paired_difference(records, metric)
        low, high = (number(bound, 1, "+") for bound in t_interval(values))
        span = f" [{low}, {high}]" if np.isfinite(t_interval(values)).all() else ""
        parts.append(f"{number(values.mean(), 1, '+')}{span} {where}")
    return f"In points of average precision the difference is {', '.join(parts)}."


def _found(row) -> str:
    """Return the estimate and its interval on one line, and whether it is too small to matter."""
    if row.verdict in (NOT_TESTED, NO_RUN):
        return "not tested" if row.verdict == NOT_TESTED else "no runs"
    sign = "-" if np.isnan(row.difference) else "+"
    value = row.method if np.isnan(row.difference) else row.difference
    low, high = (number(bound, 3, sign) for bound in (row.low, row.high))
    span = f" [{low}, {high}]" if np.isfinite(row.low) else ", no interval"
    found = f"{number(value, 3, sign)}{span}".replace(" ", NO_BREAK)
    return found + "; less than would matter" * row.small


def _compared(row) -> str:
    """Return the methods, with their values if there are two."""
    if np.isnan(row.difference):
        return row.compared
    labels = row.compared.split(" − ")
    values = (three_digits(value) for value in (row.method, row.base))
    parts = (f"{value} {label}" for label, value in zip(labels, values, strict=True))
    return "; ".join(part.replace(" ", NO_BREAK) for part in parts)


def _count(seeds: float) -> str:
    """Return how many seeds would resolve a difference, for a table; "" if it is resolved."""
    if np.isnan(seeds):
        return ""
    if seeds < MANY:
        return f"; {seeds:.0f} seeds would resolve it"
    return "; seeds alone do not resolve it" if np.isinf(seeds) else "; very many seeds would"
