"""Numbers, intervals and tables as a page shows them, and the labels and colours of methods."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from sparse_ae.settings.methods import ALL

METHOD_LABELS = {name: method.label for name, method in ALL.items()}
METHOD_COLOURS = {name: method.colour for name, method in ALL.items()}


def number(value: float, digits: int = 1, sign: str = "-") -> str:
    """A number for a table: minus as a minus sign, undefined as a dash."""
    return f"{value:{sign}.{digits}f}".replace("-", "−") if np.isfinite(value) else "–"


def three_digits(value: float) -> str:
    """A number to three digits after the point, undefined as a dash."""
    return number(value, 3)


def with_interval(value: float, low: float, high: float, digits: int) -> str:
    """A difference with its interval, which stay on one line."""
    parts = (number(part, digits, "+") for part in (value, low, high))
    return "{}\N{NO-BREAK SPACE}[{},\N{NO-BREAK SPACE}{}]".format(*parts)


def html_table(table: pd.DataFrame, index: bool = True) -> str:
    """A table as HTML that scrolls sideways on a small screen; equal index cells below each other
    become one."""
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
