"""The filtered feed as a file: complete, in order, and harmless in a spreadsheet."""

import csv
import io
import json
from collections.abc import Callable, Mapping

from playwright.sync_api import expect

from tests.browser.console_page import ConsolePage
from tests.client import Client

NewEvent = Callable[..., Mapping[str, object]]
FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\u00a0=1+1", '"=1+1', "＝1+1", "\u2060=1", "\ufe621"]
# Colours, an erased line, the order of reading, and what some readers of lines take for their end.
DRIVING = "\x1b[31m\x7f\x9b2K\u202e\x85\u2028"


def saved(console: ConsolePage, kind: str) -> str:
    with console.page.expect_download() as download:
        console.page.get_by_role("button", name=kind, exact=True).click()
    assert download.value.suggested_filename.endswith(f".{kind.lower()}")
    return download.value.path().read_text(encoding="utf-8")


def test_ndjson_holds_all_that_passes_the_filter_in_order(
    console: ConsolePage, service: Client, principal: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=str(number), severity="warn") for number in range(450)])
    service.published(new_event(summary="not this one", severity="error"))
    console.show(correlation=marker, severity="warn")
    events = [json.loads(line) for line in saved(console, "NDJSON").splitlines()]
    logged = principal.polled(correlation_id=marker, severity="warn", limit=500)["events"]
    assert events == [{name: value for name, value in event.items() if name != "type"} for event in logged]
    expect(console.page.get_by_text("450 events saved.")).to_be_visible()
    assert console.problems == []


def test_p12_no_cell_of_the_csv_is_a_formula(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=text, payload={"=1+1": text}) for text in FORMULAS])
    service.published(new_event(summary='plain, with "quotes"\nand a second line'))
    console.show(correlation=marker)
    text = saved(console, "CSV")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert [row["summary"] for row in rows[:-1]] == [f"'{text}" for text in FORMULAS]
    assert rows[-1]["summary"] == 'plain, with "quotes"\nand a second line'
    assert [json.loads(row["payload"]) for row in rows[:-1]] == [{"=1+1": text} for text in FORMULAS]
    assert {row["correlation_id"] for row in rows} == {marker}


def test_n14_neither_file_drives_a_terminal_and_ndjson_reads_back_as_it_was(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published(new_event(summary=f"driving {DRIVING}", payload={DRIVING: DRIVING}))
    console.show(correlation=marker)
    (line,) = saved(console, "NDJSON").splitlines()
    assert line.isprintable()
    event = json.loads(line)
    assert (event["summary"], event["payload"]) == (f"driving {DRIVING}", {DRIVING: DRIVING})
    assert not set(saved(console, "CSV")) & set("\x1b\x7f\x9b\x85")


def test_a_text_filters_the_file_too(console: ConsolePage, service: Client, new_event: NewEvent, marker: str) -> None:
    service.published([new_event(summary=f"{word} {number}") for number in range(150) for word in ("odd", "even")])
    console.show(correlation=marker, text="odd")
    events = [json.loads(line) for line in saved(console, "NDJSON").splitlines()]
    assert [event["summary"] for event in events] == [f"odd {number}" for number in range(150)]


def test_whoever_has_waited_long_enough_saves_what_was_found(
    console: ConsolePage, service: Client, new_event: NewEvent, marker: str
) -> None:
    service.published([new_event(summary=f"needle {number}") for number in range(450)])
    console.show(correlation=marker, text="needle")
    stop = console.page.get_by_role("button", name="Save what is there")
    expect(stop).to_be_hidden()
    # The log's older pages do not come.
    console.page.route("**/operator/api/events?*before=*", lambda route: None)
    console.page.get_by_role("button", name="NDJSON", exact=True).click()
    expect(console.page.get_by_text("Reading the log, 200 events so far")).to_be_visible()
    with console.page.expect_download() as download:
        stop.click()
    events = [json.loads(line) for line in download.value.path().read_text(encoding="utf-8").splitlines()]
    assert [event["summary"] for event in events] == [f"needle {number}" for number in range(250, 450)]
    expect(console.page.get_by_text("The newest 200 events saved; there are more.")).to_be_visible()
    expect(stop).to_be_hidden()
    expect(console.page.get_by_role("button", name="NDJSON", exact=True)).to_be_focused()
