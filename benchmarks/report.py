"""The result as people and as machines read it: a Markdown page, or JSON. Pure."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.figures import Figure

# Measurements by their titles, in the order in which they were made.
Results = Mapping[str, Sequence[Figure]]


def as_markdown(machine: Mapping[str, str], results: Results) -> str:
    return "\n".join(
        [
            *as_table(("machine", ""), [[name, value] for name, value in machine.items()]),
            "",
            *as_table(
                ("measurement", "figure", "measured", "target", "met"),
                [[title, *_cells(figure)] for title, figures in results.items() for figure in figures],
            ),
            "",
        ]
    )


def as_json(machine: Mapping[str, str], results: Results) -> dict[str, Any]:
    return {
        "machine": dict(machine),
        "results": {
            title: [{**dataclasses.asdict(figure), "met": figure.met} for figure in figures]
            for title, figures in results.items()
        },
    }


def _cells(figure: Figure) -> list[str]:
    met = {None: "", True: "yes", False: "NO"}[figure.met]
    return [figure.name, number(figure.value, figure.unit), _target(figure), met]


def _target(figure: Figure) -> str:
    if figure.at_most is not None:
        return f"<= {number(figure.at_most, figure.unit)}"
    return "" if figure.at_least is None else f">= {number(figure.at_least, figure.unit)}"


def number(value: float, unit: str) -> str:
    """Three digits are more than a second run would confirm."""
    text = f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} {unit}"


def as_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned, so that it reads well on a terminal too."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return [line(head), "|" + "|".join("-" * (width + 2) for width in widths) + "|", *map(line, rows)]
