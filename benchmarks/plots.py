"""Plots of what `--json` wrote: `python -m benchmarks.plots FOLDER < FIGURES.json`, in `.venv-bench` (matplotlib)."""

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]  # is in .venv-bench alone

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import ScalarFormatter, StrMethodFormatter  # type: ignore[import-not-found]

# Values by the names of figures, by what was measured.
Values = Mapping[str, Mapping[str, float]]
OURS = "VX11 Operator"
LOADS = {"1000 x 20/s": "1000 streams x 20 events/s", "1000 x 200/s": "1000 streams x 200 events/s"}
CPU = "server CPU per delivered event"
MEMORY = "memory of an idle stream"
# Ours stands out by tone as well as by colour; the palette is told apart by colour-blind readers too.
OUR_COLOUR, OTHER_COLOUR = "#0b5394", "#b7b7b7"
PERCENTILES = {"latency, p50": ("o", "p50"), "latency, p95": ("s", "p95"), "latency, p99": ("D", "p99")}
WORST = ("latency, longest", "x", "longest")
SEARCH_TITLE = re.compile(r"search, ([0-9,]+) events, (SQLite|PostgreSQL|compared)")
# What is drawn of a search: its label, whose figures, which of them (names of benchmarks/searching.py), and how.
SEARCHES = (
    ("ours on SQLite, median of 12 kinds", "SQLite", "median of all kinds", OUR_COLOUR, "o"),
    ("ours on PostgreSQL, median of 12 kinds", "PostgreSQL", "median of all kinds", "#6fa8dc", "o"),
    ("ours on SQLite, rare word", "SQLite", "rare word, p50", OUR_COLOUR, "x"),
    ("tantivy, median of 8 kinds", "compared", "tantivy, median of its kinds", "#666666", "s"),
    ("grep, rare word", "compared", "grep for the rare word", OTHER_COLOUR, "D"),
)
WIDTH_INCHES, DPI = 8.0, 120


def peers_of(values: Values, title: str) -> dict[str, Mapping[str, float]]:
    """Figures by peers; the one whose CPU or memory is least stands first."""
    found = {name.removeprefix(f"{title}, "): figures for name, figures in values.items() if name.startswith(title)}
    known = {name: figures for name, figures in found.items() if CPU in figures or MEMORY in figures}
    return dict(sorted(known.items(), key=lambda item: item[1].get(CPU, item[1].get(MEMORY, 0.0))))


def label(name: str, figures: Mapping[str, float], load_per_second: float) -> str:
    """The name, with the rate when the load was too much for it."""
    rate = figures.get("events/s published", load_per_second)
    return name if rate == load_per_second else f"{name}\n(at {rate:g} events/s, more was too much)"


def plot_cpu(values: Values) -> Any:
    loads = [title for title in LOADS if peers_of(values, title)]
    heights = [len(peers_of(values, title)) for title in loads]
    figure, all_axes = plt.subplots(
        len(loads), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}, layout="constrained"
    )
    figure.set_size_inches(WIDTH_INCHES, 1.2 + 0.6 * sum(heights))
    figure.suptitle("CPU of the server for each delivered event (less is better)")
    for title, (axes,) in zip(loads, all_axes, strict=True):
        peers = peers_of(values, title)
        per_second = float(title.split()[2].removesuffix("/s"))
        names = [label(name, figures, per_second) for name, figures in peers.items()]
        bars(axes, list(peers), names, [figures[CPU] for figures in peers.values()], "us")
        axes.set_title(LOADS[title], loc="left", fontsize=10)
        logarithmic(axes)
        axes.set_xlim(left=1)
    all_axes[-1][0].set_xlabel("microseconds, logarithmic")
    return figure


def plot_latency(values: Values) -> Any:
    title = "1000 x 20/s"
    peers = peers_of(values, title)
    figure, axes = plt.subplots(figsize=(WIDTH_INCHES, 1.4 + 0.6 * len(peers)), layout="constrained")
    for row, (name, figures) in enumerate(peers.items()):
        colour = OUR_COLOUR if name == OURS else "#666666"
        axes.hlines(row, figures["latency, p50"], figures[WORST[0]], color=colour, linewidth=1.5, zorder=1)
        for key, (marker, _) in PERCENTILES.items():
            axes.plot(figures[key], row, marker, color=colour, markersize=7)
        axes.plot(figures[WORST[0]], row, WORST[1], color=colour, markersize=8)
    for marker, text in [*PERCENTILES.values(), WORST[1:]]:
        axes.plot([], [], marker, color="#666666", label=text)
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    axes.set_yticks(range(len(peers)), [label(name, figures, 20) for name, figures in peers.items()])
    axes.set_ylim(len(peers) - 0.5, -0.5)
    logarithmic(axes)
    axes.set_xlabel("milliseconds, logarithmic")
    axes.grid(axis="x", which="both", color="#e5e5e5", zorder=0)
    figure.suptitle(f"From publish to receipt, {LOADS[title]} (less is better)")
    return figure


def plot_memory(values: Values) -> Any:
    peers = peers_of(values, "memory")
    figure, axes = plt.subplots(figsize=(WIDTH_INCHES, 1.2 + 0.5 * len(peers)), layout="constrained")
    bars(axes, list(peers), list(peers), [figures[MEMORY] for figures in peers.values()], "KB")
    axes.set_xlabel("KB")
    figure.suptitle("Memory of one idle stream (less is better)")
    return figure


def plot_search(values: Values) -> Any:
    """Latency by the number of events, on two logarithmic axes."""
    found = sorted(
        (int(match[1].replace(",", "")), match[2], figures)
        for title, figures in values.items()
        if (match := SEARCH_TITLE.fullmatch(title))
    )
    figure, axes = plt.subplots(figsize=(WIDTH_INCHES, 4.6), layout="constrained")
    for label_, store, name, colour, marker in SEARCHES:
        points = [(count, figures[name]) for count, of, figures in found if of == store and name in figures]
        if points:
            axes.plot(*zip(*points, strict=True), marker=marker, color=colour, label=label_)
    axes.set_yscale("log")
    logarithmic(axes)
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.grid(which="major", color="#e5e5e5", zorder=0)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    axes.set_xlabel("events in the log, logarithmic")
    axes.set_ylabel("milliseconds, logarithmic")
    figure.suptitle("The newest 200 events that pass, by the size of the log (less is better)")
    return figure


def bars(axes: Any, peers: Sequence[str], names: Sequence[str], measured: Sequence[float], unit: str) -> None:
    colours = [OUR_COLOUR if peer == OURS else OTHER_COLOUR for peer in peers]
    drawn = axes.barh(names, measured, color=colours, height=0.65)
    axes.bar_label(drawn, labels=[f"{value:.3g} {unit}" for value in measured], padding=4)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)


def logarithmic(axes: Any) -> None:
    axes.set_xscale("log")
    # 100, not 10 to the power of 2.
    axes.xaxis.set_major_formatter(ScalarFormatter())


PLOTS: dict[str, Callable[[Values], Any]] = {
    "cpu": plot_cpu,
    "latency": plot_latency,
    "memory": plot_memory,
    "search": plot_search,
}


def main(folder: str) -> None:
    results = json.load(sys.stdin)["results"]
    values = {title: {figure["name"]: figure["value"] for figure in figures} for title, figures in results.items()}
    for name, plot in PLOTS.items():
        plot(values).savefig(Path(folder) / f"{name}.png", dpi=DPI)


if __name__ == "__main__":
    main(*sys.argv[1:])
