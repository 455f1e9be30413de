"""Wrong use of publish_events and tail_events is reported at once, before anything is sent or opened."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

TOKEN = "a-token-that-must-stay-secret"


@pytest.fixture(autouse=True)
def _tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VX11_SERVICE_TOKEN", TOKEN)
    monkeypatch.setenv("VX11_PRINCIPAL_TOKEN", TOKEN)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("publish_events --follow", "need --file"),
        ("publish_events --from-start", "need --file"),
        ("publish_events --file /nowhere/at-all.log", "cannot be read: No such file"),
        ("publish_events --file /nowhere/*.log", "names no file"),
        ("publish_events --file x --from-end", "needs --follow"),
        ("publish_events --file x --follow --from-end --from-start", "not allowed with"),
        ("publish_events --places x", "need --file"),
        ("publish_events --unit ssh", "needs --journal"),
        ("publish_events --file x --journal", "two sources"),
        ("publish_events --file x --places y --no-places", "not allowed with"),
        ("publish_events --file x --places /proc/nowhere/places", "cannot be used"),
        ("publish_events --timezone Mars/Olympus", "time zone"),
        ("publish_events --timezone ../../etc/passwd", "time zone"),
        ("publish_events --levels loud", "--levels"),
        ("publish_events --multiline maybe", "--multiline"),
        ("publish_events --batch-size 501", "from 1 to 500"),
        ("publish_events --batch-size 0", "from 1 to 500"),
        ("publish_events --linger-ms -1", "from 0 to"),
        ("publish_events --event-type Upper", "--event-type"),
        ("publish_events --module a/b", "--module"),
        ("publish_events --severity loud", "--severity"),
        ("publish_events --url ftp://host", "http://"),
        ("publish_events --url http://user:secret@host", "no user name"),
        ("publish_events --url http://host/?token=x", "query"),
        ("publish_events --url http://host:port", "--url"),
        ("publish_events --url http://...", "--url"),
        ("publish_events --token-file /nowhere/token", "cannot be read"),
        ("publish_events --token secret", "--token"),
        ("receive_syslog", "--tcp, --tls or --udp"),
        ("receive_syslog --tcp 65536", "up to 65535"),
        ("receive_syslog --tcp host:", "up to 65535"),
        ("receive_syslog --udp :514", "name a host"),
        ("receive_syslog --udp ::1:514", "in brackets"),
        ("receive_syslog --tcp 192.0.2.1:5514", "cannot be used: Cannot assign"),
        ("receive_syslog --tcp nowhere.invalid:5514", "tcp nowhere.invalid:5514 cannot be used"),
        ("receive_syslog --tls 0", "--tls needs --certificate and --key"),
        ("receive_syslog --tcp 0 --certificate x", "need --tls"),
        ("receive_syslog --tcp 0 --client-authority x", "need --tls"),
        (
            "receive_syslog --tls 0 --certificate /nowhere/crt --key x",
            "--certificate /nowhere/crt cannot be read: No such",
        ),
        (
            "receive_syslog --tls 0 --certificate /etc/passwd --key /etc/passwd",
            "must be PEM files that belong together",
        ),
        ("receive_syslog --tls 0 --certificate /etc --key /etc", "--certificate /etc cannot be read"),
        ("receive_syslog --tcp 0 --spool /proc/nowhere", "the spool /proc/nowhere cannot be used"),
        ("receive_syslog --tcp 0 --max-line 479", "from 480 to 65536"),
        ("receive_syslog --tcp 0 --max-rate 0", "from 1 to"),
        ("receive_syslog --tcp 0 --url ftp://host", "http://"),
        ("receive_syslog --tcp 0 --timezone Mars/Olympus", "time zone"),
        ("receive_syslog --tcp 0 --module a/b", "--module"),
        ("receive_syslog --tcp 0 --token-file /nowhere/token", "cannot be read"),
        ("tail_events --no-follow", "needs --since or --last"),
        ("tail_events --last 501", "from 1 to 500"),
        ("tail_events --last 0", "from 1 to 500"),
        ("tail_events --last 5 --since k-1", "not allowed with"),
        ("tail_events --url localhost:8000", "http://"),
    ],
)
def test_wrong_use_is_told(command: str, words: str) -> None:
    with pytest.raises(CommandError, match=words) as caught:
        call_command(*command.split())
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("command", "name"),
    [("publish_events", "SERVICE"), ("tail_events", "PRINCIPAL"), ("receive_syslog --tcp 0", "SERVICE")],
)
@pytest.mark.parametrize("text", ["", " , ", "two words", "smart\u2019quote", "line\nbreak"])
def test_what_cannot_be_a_token_is_told_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, command: str, name: str, text: str
) -> None:
    monkeypatch.setenv(f"VX11_{name}_TOKEN", text)
    with pytest.raises(CommandError) as caught:
        call_command(*command.split())
    assert "token" in str(caught.value)
    assert not text.strip(" ,") or text not in str(caught.value)


def test_a_token_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="does not hold a token"):
        call_command("tail_events", token_file=path)


@pytest.mark.parametrize("command", ["publish_events", "receive_syslog", "tail_events"])
def test_help_has_examples_that_keep_their_lines_and_exit_codes(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    with pytest.raises(SystemExit):
        call_command(command, "--help")
    lines = capsys.readouterr().out.splitlines()
    assert "examples:" in lines
    assert "exit codes:" in lines
    assert any(line.startswith("  manage.py ") for line in lines)
