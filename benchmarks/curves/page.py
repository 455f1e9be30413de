"""The measured part of docs/curves.md: curves in, the page with their tables out. Pure."""

from collections.abc import Mapping, Sequence

from benchmarks.curves.curve import Curve, as_page

BEGIN = "<!-- measured: `python -m benchmarks.curves` writes from here, {name} -->"
END = "<!-- to here, {name} -->"


def written(page: str, machine: Mapping[str, str], curves: Sequence[Curve]) -> str:
    """The page with other tables for these curves. Raises ValueError when it has no place for one of them."""
    for curve in curves:
        begin, end = BEGIN.format(name=curve.name), END.format(name=curve.name)
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"no place for the curve: {begin} ... {end}")
        measured = (
            f"Measured on {machine['date']}, revision {machine['revision']}, {machine['CPU']}, "
            f"load average before {machine['load average before']}."
        )
        page = "\n".join([before + begin, "", *as_page(curve), "", measured, "", end + after])
    return page
