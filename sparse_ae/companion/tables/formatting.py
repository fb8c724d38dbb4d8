"""Numbers, intervals and tables as a page shows them, and the labels and colours of methods."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from sparse_ae.settings.methods import ALL

METHOD_LABELS = {name: method.label for name, method in ALL.items()}
METHOD_COLOURS = {name: method.colour for name, method in ALL.items()}


def number(value: float, digits: int = 1, sign: str = "-") -> str:
    """Format a number for a table, with a proper minus sign, or a dash if it is undefined.

    Args:
        value: The number.
        digits: Digits after the point.
        sign: "+" to show the sign of positive numbers too.
    """
    return f"{value:{sign}.{digits}f}".replace("-", "−") if np.isfinite(value) else "–"


def three_digits(value: float) -> str:
    """Format a number with three digits after the point."""
    return number(value, 3)


def with_interval(value: float, low: float, high: float, digits: int) -> str:
    """Format a difference with its interval, without a line break."""
    parts = (number(part, digits, "+") for part in (value, low, high))
    return "{}\N{NO-BREAK SPACE}[{},\N{NO-BREAK SPACE}{}]".format(*parts)


def html_table(table: pd.DataFrame, index: bool = True) -> str:
    """Format a table as HTML that scrolls sideways on a small screen.

    Args:
        table: The table, whose cells are escaped.
        index: Whether to show the index; equal index cells below each other are merged.
    """
    keys = [key if isinstance(key, tuple) else (key,) for key in table.index] if index else []
    names = [name or "" for name in table.index.names] if index else []
    head = "".join(f'<th scope="col">{escape(str(name))}</th>' for name in [*names, *table.columns])
    body = []
    for row, values in enumerate(table.itertuples(index=False)):
        cells = []
        for level in range(len(names)):
            same = [key[: level + 1] == keys[row][: level + 1] for key in keys]
            if row == 0 or not same[row - 1]:
                span = [*same[row:], False].index(False)
                text = escape(str(keys[row][level]))
                cells.append(f'<th scope="row" rowspan="{span}">{text}</th>')
        cells += [f"<td>{escape(str(value))}</td>" for value in values]
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="wide-table"><table class="dataframe"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )
