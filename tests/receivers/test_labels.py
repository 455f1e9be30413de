"""Labels of Loki: what promtail and others write, and what is none."""

import contextlib
import time

import pytest

from receivers.labels import LABELS_LIMIT, read_labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("{}", {}),
        ('{job="nginx"}', {"job": "nginx"}),
        ('{filename="/var/log/x", job="nginx"}', {"filename": "/var/log/x", "job": "nginx"}),
        ('{ a = "1",b="2" , }', {"a": "1", "b": "2"}),
        (r'{a="say \"hi\", {x}=\\ \n"}', {"a": 'say "hi", {x}=\\ \n'}),
        (r'{a="\x41\u00e9\U0001F6A8\a\v"}', {"a": "Aé🚨\a\v"}),
        (r'{path="C:\\x41\\new"}', {"path": "C:\\x41\\new"}),
        ('{a="é\u2028"}', {"a": "é\u2028"}),
        ("{a=`raw \\n`}", {"a": "raw \\n"}),
        ('{a="", b="1"}', {"a": "", "b": "1"}),
    ],
)
def test_labels_are_read(text: str, labels: dict[str, str]) -> None:
    assert read_labels(text) == labels


@pytest.mark.parametrize(
    "text",
    [
        *("", "job", '{job="x"', 'job="x"}', "{job=x}", '{job="x" b="y"}', "{=}", '{1="x"}', '{a="x"} b', '{"a"="b"}'),
        *('{a="\\q"}', '{a="\\U00110000"}', '{a="\\uD800"}', '{a="x}', '{a!="x"}', '{a="\\101"}'),
        "{" + ",".join(f'a{number}="x"' for number in range(LABELS_LIMIT + 1)) + "}",
    ],
)
def test_what_are_no_labels_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="label|Go quotes"):
        read_labels(text)


@pytest.mark.parametrize("part", ['a="', "a=", '\\"', 'a="x",', " ", '{a="\\', "`"])
def test_labels_take_time_in_proportion_to_their_length(part: str) -> None:
    def cost(size: int) -> float:
        text = "{" + (part * size)[:size] + "}"
        began = time.thread_time()
        with contextlib.suppress(ValueError):
            read_labels(text)
        return time.thread_time() - began

    quarter, whole = (min(cost(size) for _ in range(3)) for size in (250_000, 1_000_000))
    assert whole < max(0.02, 9 * quarter)
