"""Plots of curves: `python -m benchmarks.curves.plots FOLDER < CURVES.json`, in `.venv-bench` (matplotlib)."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]  # is in .venv-bench alone

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import StrMethodFormatter  # type: ignore[import-not-found]

WIDTH_INCHES, LINE_INCHES, DPI = 8.0, 2.0, 110
COLOUR = "#0b5394"


def plot(curve: dict[str, Any]) -> Any:
    """A row for each line, all over the same axis; both axes are logarithmic, so what is linear rises evenly."""
    lines = curve["lines"]
    figure, all_axes = plt.subplots(len(lines), 1, sharex=True, squeeze=False, layout="constrained")
    figure.set_size_inches(WIDTH_INCHES, 1.0 + LINE_INCHES * len(lines))
    figure.suptitle(curve["title"])
    for line, (axes,) in zip(lines, all_axes, strict=True):
        points = [(it["at"], it["figures"][line["name"]]) for it in curve["points"] if line["name"] in it["figures"]]
        axes.plot(*zip(*points, strict=True), marker="o", color=COLOUR)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(f"{line['name']}, {line['unit']}", loc="left", fontsize=10)
        for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            ticks(StrMethodFormatter("{x:,g}"))
        axes.grid(which="major", color="#e5e5e5", zorder=0)
    last = all_axes[-1][0]
    last.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    last.set_xlabel(f"{curve['axis']}, logarithmic")
    return figure


def main(folder: str) -> None:
    for curve in json.load(sys.stdin)["curves"]:
        plot(curve).savefig(Path(folder) / f"curve-{curve['name']}.png", dpi=DPI)


if __name__ == "__main__":
    main(*sys.argv[1:])
