"""The measured table of docs/scaling.md: figures of a run in, the page with them out. Pure."""

from collections.abc import Mapping, Sequence

from benchmarks import scaling
from benchmarks.figures import Figure
from benchmarks.publishing import SINGLE
from benchmarks.report import as_table, number
from benchmarks.scaling import values
from benchmarks.tickets import CONNECTIONS

BEGIN = "<!-- measured: `python -m benchmarks --only scaling` writes from here -->"
END = "<!-- to here -->"
OTHERS_CPU = "CPU of others"
# What is asked for by the second, what it costs, and how both are called in the table.
OPERATIONS = (
    (
        scaling.DELIVERED,
        scaling.DELIVERY_CPU,
        f"events delivered, {scaling.STREAMS} streams each, {scaling.EVENTS_PER_SECOND} events/s",
    ),
    (scaling.TICKETS, scaling.TICKET_CPU, f"tickets, {CONNECTIONS} clients each"),
    (scaling.PUBLISHED, scaling.PUBLISH_CPU, f"events published one by one, {SINGLE.connections} clients each"),
)
COSTS = (
    ("`take`", "the process that takes an event from its publisher", scaling.TAKING_CPU),
    ("`hear`", "every other process, for the same event", scaling.HEARING_CPU),
    ("`write`", "an event to one stream", scaling.WRITING_CPU),
    ("`ticket`", "a ticket", scaling.TICKET_CPU),
    ("`idle`", "a process that has nothing to do, of a core", scaling.IDLE_CPU),
)


def written(page: str, machine: Mapping[str, str], results: Sequence[Sequence[Figure]]) -> str:
    """The page with another table. `results` are those of benchmarks/scaling.py, in their order.

    Raises ValueError when the page has no place for it.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no place for the table: {BEGIN} ... {END}")
    return "\n".join([before + BEGIN, "", *_tables(machine, results), "", END + after])


def _tables(machine: Mapping[str, str], results: Sequence[Sequence[Figure]]) -> list[str]:
    one, two, same, pays, _compared = results
    costs = {figure.name: figure for figure in [*one, *pays]}
    # The first of that name is of the deliveries, in which databases take little.
    others = [next(figure for figure in figures if figure.name == OTHERS_CPU) for figures in (one, two)]
    return [
        *as_table(("", "one process", "two processes", "two carry"), [*_operations(one, two), _together(one, same)]),
        "",
        *as_table(
            ("cost", "of what", "CPU"),
            [[name, meaning, number(costs[cpu].value, costs[cpu].unit)] for name, meaning, cpu in COSTS],
        ),
        "",
        f"Measured on {machine['date']}, revision {machine['revision']}, {machine['CPU']}.",
        "The client was on the same machine. Redis, PostgreSQL and all else on it took "
        f"{number(others[0].value, '%')} of a core, then "
        f"{number(others[1].value, '%')}, while events were delivered.",
    ]


def _together(one: Sequence[Figure], same: Sequence[Figure]) -> list[str]:
    """Deliveries when the second process brings no streams of its own."""
    name = f"CPU for each of the events, {scaling.STREAMS} streams together"
    cpu = scaling.DELIVERY_CPU
    carried = number(scaling.carried(one, same, cpu), "x")
    return [name, *(number(values(of)[cpu], "us") for of in (one, same)), f"{carried} with a core each"]


def _operations(one: Sequence[Figure], two: Sequence[Figure]) -> list[list[str]]:
    rows = []
    for per_second, cpu, name in OPERATIONS:
        of_one, of_two = values(one), values(two)
        by_clock = of_two[per_second] / of_one[per_second]
        rows += [
            [name, *(number(of[per_second], "/s") for of in (of_one, of_two)), f"{number(by_clock, 'x')} by the clock"],
            [
                "CPU of the servers for each",
                *(number(of[cpu], "us") for of in (of_one, of_two)),
                f"**{number(scaling.carried(one, two, cpu), 'x')} with a core each**",
            ],
        ]
    return rows
