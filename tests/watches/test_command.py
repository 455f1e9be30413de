"""manage.py watches: list, test, mute."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from gateway.models import AccessToken, TokenAudit
from tests.watches.samples import create, happen, owner
from watches.models import Firing, Watch

pytestmark = pytest.mark.usefixtures("ledger")


def run(*words: str) -> str:
    output = StringIO()
    call_command("watches", *words, stdout=output)
    return output.getvalue()


def test_the_list_has_each_watch_with_its_state() -> None:
    by = owner()
    # No longer taken from anybody, but a database may have one.
    create(by, name="first", query="disk")
    Watch.objects.update(name="first\x1b[2J")
    create(by, name="second", muted_until=(timezone.now() + timedelta(days=1)).isoformat())
    first, second = run("list").splitlines()
    assert "active" in first
    assert "every event  disk" in first
    assert "\x1b" not in first
    assert "muted until" in second
    assert "all events" in second


def test_a_test_says_when_it_would_have_fired_and_writes_nothing() -> None:
    happen("one")
    watch = create(owner())
    output = run("test", str(watch.pk))
    assert "would have fired 1 times" in output
    assert len(output.splitlines()) == 2
    assert Firing.objects.count() == 0


def test_a_watch_whose_owner_has_lost_its_right_cannot_be_tested() -> None:
    by = owner()
    watch = create(by)
    AccessToken.objects.filter(public_id=by.principal_id).revoke(because="a test")
    with pytest.raises(CommandError, match="revoked"):
        run("test", str(watch.pk))


def test_a_watch_is_muted_for_a_time_and_then_no_more() -> None:
    watch = create(owner())
    run("mute", str(watch.pk), "--for", "2h")
    until = Watch.objects.get().muted_until
    assert until is not None
    assert timedelta(hours=1, minutes=59) < until - timezone.now() <= timedelta(hours=2)
    assert TokenAudit.objects.filter(actor="manage.py watches mute").count() == 1
    run("mute", str(watch.pk), "--for", "0")
    assert Watch.objects.get().muted_until is None


@pytest.mark.parametrize("words", [("test", "7"), ("mute", "7")])
def test_a_watch_that_does_not_exist_is_named(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="there is no watch 7"):
        run(*words)


def test_a_time_that_is_none_is_refused() -> None:
    watch = create(owner())
    with pytest.raises(CommandError, match="30m"):
        run("mute", str(watch.pk), "--for", "soon")
