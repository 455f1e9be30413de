"""`vx11-operator`: its words lead to the commands that its usage names."""

import re
import sys

import pytest

from vx11_site import command_line


@pytest.mark.parametrize("word", command_line.DIRECT)
def test_each_word_is_in_the_usage_and_leads_to_its_command(
    word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert re.search(rf"^  {word}\b", command_line.USAGE, re.MULTILINE)
    monkeypatch.setattr(sys, "argv", ["vx11-operator", word, "--help"])
    with pytest.raises(SystemExit) as ended:
        command_line.operator()
    assert ended.value.code == 0
    assert f"vx11-operator {command_line.DIRECT[word]}" in capsys.readouterr().out
