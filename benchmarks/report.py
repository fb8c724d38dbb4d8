"""Benchmark records for a page: core.py's as text, table and picture, loading.py's as a table."""

from __future__ import annotations

import html

import matplotlib.pyplot as plt
import pandas as pd


def show(record: dict) -> str:
    """Return the record as text."""

    def number(value, form):
        return "" if value is None else format(value, form)

    lines = [f"{'':76}{'ours ms':>9}{'other ms':>10}{'ratio':>8}  asked"]
    for row in record["rows"]:
        asked = [f"≥ {row['least_ratio']:g}×"] if row["least_ratio"] else []
        asked += [f"≤ {row['most_ms']:g} ms"] if row["most_ms"] else []
        met = {True: "met", False: "MISSED", None: ""}[row["met"]]
        lines.append(
            f"{row['work']:76}{row['ours_ms']:9.3g}{number(row['reference_ms'], '10.4g'):>10}"
            f"{number(row['ratio'], '8.3g'):>8}  {', '.join(asked)} {met}".rstrip()
        )
    lines.append("\nmemory-bound work: megabytes that must move, and the share of a copy's speed")
    lines += [f"{row['work']:76}{row['moved_bytes'] / 1e6:9.3g}{_share(record, row):10.0%}"
              for row in record["rows"] if row["moved_bytes"]]  # fmt: skip
    lines.append("\nhow cost grows (exponent 1: linear)")
    for row in record["growth"]:
        points = "  ".join(f"{n}: {ms:.3g}" for n, ms in zip(row["size"], row["ms"], strict=True))
        lines.append(f"{row['curve']:20}{row['exponent']:6.2f}   {points}")
    origin = record["provenance"]
    lines.append(
        f"\n{origin['device']}, {origin['cores']} cores, load {record['load']:.2f} at the start; "
        f"commit {(origin['commit'] or 'none')[:12]}, {origin['date']}"
    )
    lines.append(", ".join(f"{name} {version}" for name, version in origin["packages"].items()))
    return "\n".join(lines)


def _share(record: dict, row: dict) -> float:
    """Return the speed at which a row's bytes are moved, as a share of a copy's speed."""
    return 1e3 * row["moved_bytes"] / row["ours_ms"] / record["copy_bytes_per_second"]


def table(record: dict) -> pd.DataFrame:
    """Return the rows that have an aim, formatted for a page."""
    lines = []
    for row in record["rows"]:
        if row["met"] is None:
            continue
        asked = [f"{row['least_ratio']:g}×"] if row["least_ratio"] else []
        asked += [f"{row['most_ms']:g} ms"] if row["most_ms"] else []
        other, ratio = row["reference_ms"], row["ratio"]
        lines.append({
            "work": row["work"], "ours, ms": f"{row['ours_ms']:.3g}",
            "other, ms": "" if other is None else f"{other:.4g}",
            "ratio": "" if ratio is None else f"{ratio:.3g}",
            "asked": ", ".join(asked), "met": {True: "yes", False: "no"}[row["met"]],
            "of a copy's speed": f"{_share(record, row):.0%}" if row["moved_bytes"] else "",
        })  # fmt: skip
    return pd.DataFrame(lines).set_index("work")


def loading_table(record: dict) -> pd.DataFrame:
    """Return a record of benchmarks/loading.py as rows, formatted for a page."""
    steps = record["one_core_ms"]
    return pd.DataFrame({"ms": [f"{ms:.2f}" for ms in steps.values()]},
                        index=pd.Index(list(steps), name="step"))  # fmt: skip


def loading_note(record: dict) -> str:
    """Return the HTML note below that table: the rate with workers, and the machine."""
    origin = record["provenance"]
    return (
        f"<p>Together, {record['workers']} worker processes deliver "
        f"<strong>{record['photos_per_second']:.0f} photos a second</strong> at "
        f"{record['size']} × {record['size']} pixels, in batches.</p>"
        f'<p class="made-of">Made of {record["photos"]} photos by '
        f"<code>{html.escape(origin['command'])}</code>, commit "
        f"{(origin['commit'] or 'none')[:7]}, {origin['date'][:10]}, "
        f"{html.escape(origin['device'])}, {origin['cores']} cores, load {record['load']:.1f} at "
        f"the start; data: {html.escape(origin['data_digest'])}.</p>"
    )


def growth_figure(record: dict):
    """Draw milliseconds over persons and over cells, beside the line of a proportional cost."""
    figure, axes = plt.subplots(1, 2, figsize=(8.1, 3.6), layout="constrained", sharey=True)
    for axis, by in zip(axes, ("persons", "cells"), strict=True):
        for row, colour in zip(
            [row for row in record["growth"] if row["curve"].endswith(by)],
            ("#0072b2", "#d55e00", "#009e73"),
            strict=True,
        ):
            label = f"{row['curve'].split(',')[0]}, exponent {row['exponent']:.2f}"
            axis.loglog(row["size"], row["ms"], "o-", color=colour, label=label)
            line = [row["ms"][-1] * size / row["size"][-1] for size in row["size"]]
            axis.loglog(row["size"], line, ":", color=colour, alpha=0.6)
        sizes = sorted({size for row in record["growth"] if row["curve"].endswith(by)
                        for size in row["size"]})  # fmt: skip
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axis.minorticks_off()
        axis.set(xlabel="persons in an image" if by == "persons" else "cells of a map")
        handles, labels = axis.get_legend_handles_labels()
        order = sorted(range(len(handles)), key=lambda i: -handles[i].get_ydata()[-1])
        axis.legend([handles[i] for i in order], [labels[i] for i in order], fontsize=8)
    axes[0].set_ylabel("milliseconds")
    return figure
