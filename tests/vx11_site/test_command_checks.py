"""What a command looks at before it begins: the settings, but no pages that it does not serve."""

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from gateway.checks.startup import OF_SETTINGS

OURS = ("events", "gateway", "vx11_site")
# These need the whole program, or bring it into order.
CHECK_ALL = {"migrate", "serve"}


def test_commands_that_serve_nothing_check_the_settings_at_most() -> None:
    for name, app in get_commands().items():
        if app in OURS and name not in CHECK_ALL:
            checks = load_command_class(str(app), name).requires_system_checks
            assert tuple(checks) in ((), OF_SETTINGS), name


def test_a_setting_that_is_never_safe_stops_a_command_that_serves_nothing(settings: Settings) -> None:
    settings.PUBLIC_ENTRY_POINTS = ["/operator/api/events"]
    with pytest.raises(SystemCheckError, match=r"vx11\.E004"):
        call_command("list_tokens", skip_checks=False)
