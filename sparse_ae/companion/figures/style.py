"""The look of all figures: matplotlib's defaults, and a colour for each person."""

from __future__ import annotations

import matplotlib.pyplot as plt
import seaborn as sns

# Paul Tol's "bright" and "muted" colours, which colour-blind readers can tell apart
PERSON_COLOURS = (
    "#ee6677", "#4477aa", "#ccbb44", "#228833", "#66ccee", "#aa3377", "#999933", "#332288",
    "#44aa99", "#882255",
)  # fmt: skip


WIDTH = 8.1  # inches: the text column's width on a page, where a point is then a point


def set_style() -> None:
    """Set matplotlib's defaults, and SVG for figures in a notebook.

    Panels are white, on light and dark pages alike. A method has one colour everywhere
    (`tables.formatting.METHOD_COLOURS`); persons have another palette, PERSON_COLOURS.
    """
    sns.set_theme(style="ticks", context="notebook", font_scale=0.85)
    plt.rcParams.update({
        "figure.facecolor": "white",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 11,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "legend.frameon": False,
        "savefig.bbox": "tight",
        "savefig.pad_inches": 0.12,
        "svg.hashsalt": "sparse_ae",  # the same figure gives the same file
    })  # fmt: skip
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # outside of notebooks
        return
    set_matplotlib_formats("svg")


def person_colour(person: int) -> str:
    """Return the colour of person number `person` of a scene."""
    return PERSON_COLOURS[person % len(PERSON_COLOURS)]
