"""The ratios as a bar chart in SVG, drawn with Matplotlib: bars on a logarithmic axis, a mark at each aim."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.compare.case import Outcome

_MET, _MISSED, _AIM = "#2f7d4f", "#b4472f", "#222222"


def plot(outcomes: Sequence[Outcome]) -> str:
    """An SVG; the same outcomes give the same text."""
    mpl.rcParams["svg.hashsalt"] = "toolkit"
    figure = Figure(figsize=(9, 1.2 + 0.32 * len(outcomes)), layout="constrained")
    axes = figure.subplots()
    places = range(len(outcomes))
    colors = [_MET if one.is_met else _MISSED for one in outcomes]
    axes.barh(places, [one.ratio for one in outcomes], color=colors, height=0.6)
    aims = [one.aim if one.aim is not None else float("nan") for one in outcomes]
    axes.scatter(aims, places, marker="|", s=160, color=_AIM, label="aim", zorder=3)
    axes.axvline(1, color="#888888", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(places, [one.name for one in outcomes])
    axes.invert_yaxis()
    axes.set_xlabel("time of toolkit / time of the peer (lower is better)")
    axes.legend(loc="lower right")
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()
