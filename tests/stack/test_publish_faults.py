"""`manage.py publish_events` while its server dies: nothing lost, nothing doubled, nothing out of order."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import OwnStack
from tests.stack.module_log import summaries
from tests.stack.running_command import RunningCommand
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]
KILLS = 3


class Writer:
    """Writes numbered lines into the command for as long as something has not happened."""

    def __init__(self, command: RunningCommand) -> None:
        self._command = command
        self.count = 0

    def until(self, condition: Callable[[], bool], what: str) -> None:
        def write_and_look() -> bool:
            self._command.write(b"".join(b"line %d\n" % number for number in range(self.count, self.count + 20)))
            self.count += 20
            return condition()

        wait_until(write_and_look, what, timeout_seconds=30)


def test_a_server_that_is_killed_and_started_again_has_every_line_once_and_in_order(
    own_stack: OwnStack, marker: str, tmp_path: Path
) -> None:
    stack = own_stack()
    reader = stack.client(stack.principal_token, server=stack.b)
    words = ("publish_events", "--url", stack.a.url, "--module", marker, "--linger-ms", "5", "--batch-size", "50")
    with RunningCommand(tmp_path, stack.a.environment, *words) as command:
        writer = Writer(command)
        for kill in range(1, KILLS + 1):
            before = len(summaries(reader, marker))
            writer.until(lambda before=before: len(summaries(reader, marker)) > before, "lines are stored")  # type: ignore[misc]
            stack.a.kill()
            writer.until(lambda kill=kill: command.err.count("trying again") >= kill, "the command notices")  # type: ignore[misc]
            stack.a.start()
        command.close_input()
        assert command.end() == 0

    assert summaries(reader, marker) == [f"line {number}" for number in range(writer.count)]
