"""Settings of front ends: one object for each principal, written only while a window is open."""

import pytest
from django.db import transaction

from operator_api import operator_settings, windows
from operator_api.chat.exchange import WindowClosed
from operator_api.operator_settings import Kept
from tests.operator_api.samples import close_window, let_time_pass, opened

pytestmark = pytest.mark.usefixtures("ledger")


def keep(principal_id: str, content: str) -> windows.Status | WindowClosed:
    with transaction.atomic():
        return operator_settings.write_many([Kept(principal_id, content)])[0]


def test_who_has_kept_nothing_has_an_empty_object() -> None:
    assert operator_settings.read("p-1") == "{}"


def test_each_principal_has_its_own_and_the_last_one_counts() -> None:
    opened()
    for principal_id, content in (("p-1", '{"a":1}'), ("p-2", '{"b":2}'), ("p-1", '{"c":3}')):
        assert not isinstance(keep(principal_id, content), WindowClosed)
    assert (operator_settings.read("p-1"), operator_settings.read("p-2")) == ('{"c":3}', '{"b":2}')


@pytest.mark.parametrize("end", [close_window, let_time_pass])
def test_after_the_window_they_stay_as_they_are(end: object) -> None:
    opened()
    keep("p-1", '{"a":1}')
    assert callable(end)
    end()
    assert isinstance(keep("p-1", '{"a":2}'), WindowClosed)
    assert operator_settings.read("p-1") == '{"a":1}'
