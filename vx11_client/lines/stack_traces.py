"""Which lines belong to a stack trace: of Python, Java, .NET, JavaScript, Ruby, PHP and Go; both lines of JUL. Pure."""

import re
from collections.abc import Callable

PYTHON_START = re.compile(r"\s{0,8}(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\):\s{0,8}")
_PYTHON_LINK = re.compile(
    r"(?:During handling of the above exception|The above exception was the direct cause)\b.{0,100}"
)
_GO_START = re.compile(r"(?:panic|fatal error): |goroutine \d{1,9} \[|SIG[A-Z]{2,6}: ")
_RUST_START = re.compile(r"thread '[^']{1,80}' (?:\(\d{1,9}\) )?panicked at .{1,300}:$")
_RUST_LINE = re.compile(r"note: run with `RUST_BACKTRACE|stack backtrace:|\s{1,8}\d{1,5}: |\s{1,40}at ")
_GO_LINE = re.compile(
    r"goroutine \d{1,9} \[|\t|created by |\[signal |exit status \d|runtime[.: ]|panic: |\[recovered\]"
)
_JUL_START = re.compile(
    r"[A-Z][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d(?: [AP]M)? [\w.$]{1,200}(?: [\w$<>]{1,100})?", re.ASCII
)
_JUL_LEVEL = re.compile(r"(?:SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): ")
_FRAME = re.compile(
    # Java, .NET, JavaScript.
    r"\s{1,40}at (?:async |new |async Promise\.)?[^\s(]{1,300}(?: \[as [\w$]{1,80}\])? ?\("
    r"|\s{1,40}at (?:async )?\S{1,300}:\d{1,7}"
    r"|\s{0,40}\.\.\. \d{1,6} (?:more|common frames)"
    r"|\s{0,40}(?:Caused by|Suppressed): \S"
    r"|\s{1,40}--- End of (?:inner exception )?stack trace"
    r"|\s{0,8}---> \S"
    # Ruby, PHP.
    r"|\s{1,40}from \S{1,300}:\d{1,7}:in "
    r"|#\d{1,4} (?:\S{1,300}\(\d{1,7}\): |\{main\})"
    r"|Stack trace:\s{0,8}$"
    r"|\s{1,8}thrown in \S{1,300} on line \d"
)
_EXCEPTION = re.compile(r"(?:[A-Za-z_$][\w$]{0,60}\.){1,12}[A-Z][\w$]{0,100}(?=:|\s|$)", re.ASCII)
_EXCEPTION_NAMES = ("Exception", "Error", "Throwable", "Failure", "Fault")
# Of which severities a record may go on with a trace that begins without indentation.
TROUBLE = frozenset({"critical", "error", "warn"})


class Trace:
    """What the lines of one record have been so far, and so which line goes on with them."""

    def __init__(self, first: str) -> None:
        self._state = ""
        self.has_frames = False
        """Whether the record holds the frames of a stack, of any language."""
        self._enter(first)

    def goes_on(self, text: str, severity: Callable[[], str | None]) -> bool:
        """Whether this line belongs to the record, with its `severity` so far; if so, it is taken."""
        if not self._belongs(text, severity):
            return False
        self.has_frames = self.has_frames or bool(_FRAME.match(text)) or self._state in ("python", "go")
        return True

    @property
    def has_begun(self) -> bool:
        return bool(self._state) or self.has_frames

    @property
    def takes_blanks(self) -> bool:
        """Whether the record may go on behind an empty line."""
        return self._state in ("python-end", "python-link", "go")

    def _enter(self, text: str) -> None:
        if PYTHON_START.match(text):
            # In a group of exceptions, every line is indented.
            self._state, self.has_frames = "python-group" if "Exception Group" in text else "python", True
        elif _GO_START.match(text):
            self._state = "go"
        elif _RUST_START.match(text):
            # The message is in the next line.
            self._state = "rust-start"
        elif _JUL_START.fullmatch(text):
            self._state = "jul"

    def _belongs(self, text: str, severity: Callable[[], str | None]) -> bool:
        if self._state == "jul":
            self._state = ""
            return _JUL_LEVEL.match(text) is not None
        if self._state.startswith("rust"):
            is_message, self._state = self._state == "rust-start", "rust"
            return is_message or _RUST_LINE.match(text) is not None
        if self._state.startswith("python"):
            return self._python(text)
        if self._state == "go":
            return _GO_LINE.match(text) is not None or _is_call(text)
        if _FRAME.match(text):
            return True
        is_python = PYTHON_START.match(text) is not None
        if not (is_python or is_exception(text)) or severity() not in TROUBLE:
            return False
        self._state = "python" if is_python else self._state
        return True

    def _python(self, text: str) -> bool:
        """Frames are indented; the exception ends them; another trace may follow that names this one."""
        if self._state == "python-group":
            return text[:1].isspace()
        if self._state == "python":
            if not text[:1].isspace():
                self._state = "python-end"
            return True
        if PYTHON_START.match(text):
            is_linked, self._state = self._state == "python-link", "python"
            return is_linked
        if self._state == "python-end" and _PYTHON_LINK.match(text):
            self._state = "python-link"
            return True
        return False


def is_exception(text: str) -> bool:
    """`org.example.SomeException: text`: the line above the frames of Java and .NET."""
    found = _EXCEPTION.match(text)
    return found is not None and found[0].endswith(_EXCEPTION_NAMES)


def last_exception(lines: list[str]) -> str:
    """The line that says what went wrong: the last one of a trace that is not indented; empty when all are."""
    return next((line for line in reversed(lines) if line.strip() and not line[0].isspace()), "")


def is_jul_start(text: str) -> bool:
    """The first line of java.util.logging: a time and a method; the level is in the second."""
    return _JUL_START.fullmatch(text) is not None


def _is_call(text: str) -> bool:
    """A line of Go's traces that names a function: `main.pour(0x0)`."""
    name, bracket, rest = text.rstrip().partition("(")
    return bool(bracket) and " " not in name and "." in name and rest.endswith((")", "}"))
