"""What others wrote is inert on a terminal: no command prints a character that drives it, or a line that is forged."""

import io
import unicodedata

import pytest
from django.core.management import CommandError, call_command, get_commands
from django.utils import timezone

from gateway.models import AccessToken, Chore
from gateway.scopes import DEFAULT_SCOPES
from vx11_site.doctor.findings import fail
from vx11_site.management.commands.smoke import Command as Smoke

pytestmark = pytest.mark.usefixtures("ledger")

OWN_APPS = {"gateway", "events", "operator_api", "receivers", "vx11_site", "watches"}
FORGED = "p-0000000000  principal  valid"
# A line of its own; colours; a title of the window; the line erased; the order of reading; C1; what cannot be seen.
HOSTILE = f"nice\n{FORGED}\r\x1b[2K\x1b[31m\x1b]0;title\x07\u202e\x9b2J\u200b\u2028\x85\x7f"
UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# What is run, with which words; {id} is the public id of a token with a hostile name.
RUNS: dict[str, list[list[str]]] = {
    "list_tokens": [[], ["--all"], ["--json"]],
    "list_audit": [[], ["--json"], ["--reason", HOSTILE], ["--last", HOSTILE]],
    "issue_token": [
        ["--kind", "principal", "--name", HOSTILE],
        ["--kind", "principal", "--name", HOSTILE, "--json"],
        ["--kind", "principal", "--name", "x", "--scope", HOSTILE],
        ["--kind", "principal", "--name", "x", "--module", HOSTILE],
    ],
    "revoke_token": [["{id}", "--reason", HOSTILE], [HOSTILE]],
    "revoke_tickets": [["--all", "--reason", HOSTILE], ["--principal", HOSTILE]],
    "purge_tokens": [["--dry-run"], ["--older-than", HOSTILE]],
    "prune_events": [["--dry-run"], ["--keep-rows", HOSTILE]],
    "reindex": [[], ["--drop"]],
    "doctor": [[], ["--json"]],
    "tail_events": [["--url", f"http://{HOSTILE}/"], ["--token-file", f"/{HOSTILE}"]],
    "publish_events": [["--file", f"/{HOSTILE}", "--url", "http://localhost"], ["--module", HOSTILE]],
    "receive_syslog": [
        ["--tcp", HOSTILE],
        ["--tcp", "0", "--url", f"http://{HOSTILE}/"],
        ["--tcp", "0", "--spool", f"/proc/{HOSTILE}"],
        ["--tls", "0", "--certificate", f"/{HOSTILE}", "--key", f"/{HOSTILE}"],
        ["--tcp", f"{HOSTILE}:1"],
    ],
    "smoke": [["--url", f"http://{HOSTILE}/"], ["--token-file", f"/{HOSTILE}"]],
    "backup": [[f"/nowhere/{HOSTILE}"]],
    "restore": [[f"/nowhere/{HOSTILE}"]],
    "copy_from": [[f"/nowhere/{HOSTILE}"]],
    "new_epoch": [[]],
    "welcome": [[]],
    "watches": [["list"], ["test", HOSTILE], ["mute", HOSTILE]],
}
# They print nothing that others wrote: they serve, or hand over to a program of Django's or PostgreSQL's own.
SILENT = {"run", "serve", "migrate", "postgresql"}


@pytest.fixture
def public_id() -> str:
    """Of a token whose name its maker chose with care."""
    return AccessToken.issue("principal", HOSTILE, scopes=DEFAULT_SCOPES["principal"])[0].public_id


def said_by(name: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """All that it writes, and what it ends with, as a terminal gets it."""
    out, error_out = io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", error_out)
    ended = ""
    try:
        call_command(name, *words, stdout=out, stderr=error_out)
    except CommandError as error:
        ended = str(error)
    except SystemExit as end:
        ended = str(end.code)
    finally:
        monkeypatch.undo()
    return f"{out.getvalue()}{error_out.getvalue()}{ended}"


def assert_inert(text: str) -> None:
    driving = {character for character in text if unicodedata.category(character) in UNSEEN} - {"\n"}
    assert driving == set(), text
    assert not [line for line in text.splitlines() if line.startswith(FORGED)], text


@pytest.mark.parametrize("name", RUNS)
def test_n14_no_command_prints_what_drives_a_terminal(
    name: str, public_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Chore.objects.update_or_create(name="purge_tokens", defaults={"outcome": HOSTILE, "ended_at": timezone.now()})
    for words in RUNS[name]:
        assert_inert(said_by(name, [word.replace("{id}", public_id) for word in words], monkeypatch))


def test_every_command_of_ours_is_among_those_that_are_tried() -> None:
    ours = {name for name, app in get_commands().items() if app in OWN_APPS}
    assert ours == RUNS.keys() | SILENT


def test_n14_what_a_server_says_to_smoke_is_inert() -> None:
    out = io.StringIO()
    command = Smoke(stdout=out, no_color=True)
    command._show("health", fail(f"it answered {HOSTILE}", HOSTILE))
    assert_inert(out.getvalue())
