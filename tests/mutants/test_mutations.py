"""The mutation run itself: what it changes, that the changed function is the one that runs, and what a hang costs."""

import gc
import os
import types

import pytest

from tests.mutants.mutations import Mutant, mutants_of
from tests.mutants.plugin import _children, _end, _in_fork, _replace

pytestmark = pytest.mark.once


def changes(body: str, arguments: str = "a, b") -> list[str]:
    """The changed line of each mutant of a function with one line."""
    found = mutants_of("x.py", f"def f({arguments}):\n    {body}\n")
    return [mutant.after.splitlines()[1].strip() for mutant in found]


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("x = a < b", ["x = (a <= b)"]),
        ("x = a is None", ["x = (a is not None)"]),
        ("x = 1 < a < b", ["x = (1 <= a < b)", "x = (2) < a < b", "x = (0) < a < b"]),
        ("x = a and b or c", ["x = ((a and b) and (c))", "x = ((a) or (b)) or c"]),
        ("x = not a", ["x = (a)"]),
        ("x = True", ["x = False"]),
        ("x = a if b else c", ["x = (a if not (b) else c)"]),
        ("x = a * b", ["x = ((a) / (b))"]),
        ("return a", ["return None"]),
        ("return None", []),
        ('return ""', []),
        ("return []", []),
        ("return 0", ["return None", "return (1)", "return (-1)"]),
        ("await a()", ["pass"]),
        ("a.b = c", ["pass"]),
        ("raise a", ["pass"]),
        ("yield a", []),
        ("if a: pass", ["if (not (a)): pass"]),
        ("if not a: pass", ["if (a): pass"]),
        ("while a: break", ["while (not (a)): break", "while a: pass"]),
        ("x = time.monotonic() >= a", ["x = (time.monotonic() < a)"]),
        ("if a < uptime_seconds(): pass", ["if (a >= uptime_seconds()): pass"]),
        ('logger.info("x", 1)', []),
        ('"text"', []),
        ('x = f"{1}"', []),
    ],
)
def test_each_kind_of_line_has_its_changes(body: str, changed: list[str]) -> None:
    assert changes(body) == changed


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ("return a()", ["return (not (a()))"]),
        # Other changes come to the same.
        ("return True", ["return False"]),
        ("return not a", ["return (a)"]),
        ("return a is b", ["return (a is not b)"]),
        ("return a < b", ["return (not (a < b))", "return (a <= b)"]),
    ],
)
def test_a_function_of_true_and_false_returns_the_opposite_and_not_none(body: str, changed: list[str]) -> None:
    found = mutants_of("x.py", f"def f(a, b) -> bool:\n    {body}\n")
    assert [mutant.after.splitlines()[1].strip() for mutant in found] == changed


NOT_ON_SQLITE = """\
def both(c):
    if c.vendor == "sqlite":
        here(1)
    else:
        there()
    if c.vendor == "postgresql":
        there()
    return here_too() if c.vendor != "postgresql" else there()

def early(c):
    if c.vendor != "postgresql":
        return here()
    there()
    return there()
"""


def test_branches_that_a_run_on_sqlite_does_not_take_stay_and_their_conditions_do_not() -> None:
    changed = [mutant.after.splitlines()[mutant.line - 1].strip() for mutant in mutants_of("x.py", NOT_ON_SQLITE)]
    assert changed == [
        "if (c.vendor != 'sqlite'):",
        "pass",
        "here((2))",
        "here((0))",
        "if (c.vendor != 'postgresql'):",
        "return None",
        "return (here_too() if not (c.vendor != 'postgresql') else there())",
        "return here_too() if (c.vendor == 'postgresql') else there()",
        "if (c.vendor == 'postgresql'):",
        "return None",
    ]


def test_modules_decorators_and_default_values_stay() -> None:
    assert mutants_of("x.py", "LIMIT = 1\n@cached(1)\ndef f(a=1):\n    pass\n") == []


def test_lines_keep_their_numbers_and_the_diff_shows_the_change() -> None:
    source = "class C:\n    def f(self):\n        call(\n            1,\n        )\n        return 2\n"
    removed = next(one for one in mutants_of("x.py", source) if one.kind == "removed statement")
    assert removed.after.splitlines()[5] == "        return 2"
    assert (removed.function, removed.line, removed.inner, removed.outer) == ("f", 3, 2, 2)
    assert "-        call(" in removed.diff()
    assert "+        pass" in removed.diff()


SOURCE = """\
def outer(limit):
    def inner(number):
        return number + 1
    return inner

class C:
    def method(self):
        return 7
"""


def replaced(kind: str, line: int) -> types.ModuleType:
    """The source as a module, some of whose functions exist already when one of its mutants is put in."""
    module = types.ModuleType("mutated")
    exec(compile(SOURCE, "/mutated.py", "exec"), module.__dict__)  # noqa: S102 - the source is above
    module.made_before = module.outer(1)  # type: ignore[attr-defined]
    mutant: Mutant = next(one for one in mutants_of("/mutated.py", SOURCE) if (one.kind, one.line) == (kind, line))
    functions = [one for one in gc.get_objects() if isinstance(one, types.FunctionType)]
    ours = [one for one in functions if one.__globals__ is module.__dict__]
    assert _replace(ours, compile(mutant.after, mutant.path, "exec"), mutant)
    return module


def test_a_method_has_its_new_code() -> None:
    assert replaced("return", 8).C().method() is None


def test_a_nested_function_has_its_new_code_whether_it_was_made_before_or_after() -> None:
    module = replaced("arithmetic", 3)
    assert (module.made_before(5), module.outer(1)(5)) == (4, 4)


def test_a_fork_that_hangs_is_killed_and_so_is_what_it_leaves() -> None:
    def hang() -> int:
        while True:
            pass

    for run, limit_seconds, status in ((lambda: 0, 20.0, 0), (lambda: 1, 20.0, 1), (hang, 0.2, 9)):
        if (child := os.fork()) == 0:
            _in_fork(run)
        assert _end(child, limit_seconds, kept=set(_children()) - {child}) == status
