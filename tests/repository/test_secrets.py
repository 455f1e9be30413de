"""No secret is in the checkout: what looks like one fails the build."""

import math
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.repository import tree

# Put together here, so that this file holds none of them.
PATTERNS = {
    "a private key": re.compile("-----BEGIN [A-Z ]*" + "PRIVATE KEY-----"),
    "one of our tokens": re.compile("vx11" + r"[ps]_(?!(.)\1+\b)[A-Za-z0-9_-]{32,}"),
    "a key of Amazon's": re.compile(r"\b(?:AKIA|ASIA)" + r"[A-Z0-9]{16}\b"),
    "a token of GitHub's": re.compile(r"\b(?:gh[pousr]_|github_pat_)" + r"[A-Za-z0-9_]{30,}"),
    "a token of Slack's": re.compile(r"\bxox[abprs]-" + r"[A-Za-z0-9-]{10,}"),
    "a signed web token": re.compile(r"\beyJ[A-Za-z0-9_-]{8,}" + r"\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+"),
    "a password in an address": re.compile(r"\b[a-z]+://[^\s:/@\"'{}<>$]+:" + r"(?!password@)[^\s:/@\"'{}<>$*]{8,}@"),
}
ASSIGNED = re.compile(
    r"""(?ix) (?:secret|password|passwd|token|api_?key|credential)\w* ["']? \s* [:=] \s* ["']?
        (?P<value>[A-Za-z0-9+/_-]{24,}={0,2}) (?![\w(.{])"""
)
# Bits for each character: words and names have fewer, random text has more.
RANDOM_BITS = 4.0


def bits_per_character(text: str) -> float:
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


def findings(text: str) -> list[str]:
    """What looks like a secret in this text."""
    found = [kind for kind, pattern in PATTERNS.items() if pattern.search(text)]
    values = [match["value"] for match in ASSIGNED.finditer(text)]
    # Names of things are written with capitals or lines, not with digits in between.
    random = [value for value in values if bits_per_character(value) >= RANDOM_BITS and re.search(r"\d", value)]
    return found + ["a random value that is called a secret"] * bool(random)


def test_l07_no_file_holds_a_secret() -> None:
    assert {str(path): kinds for path, text in tree.texts().items() if (kinds := findings(text))} == {}


def test_l07_no_file_is_of_a_kind_that_holds_secrets() -> None:
    names = re.compile(r"(^|/)(\.env(\..*)?|id_(rsa|ecdsa|ed25519)|secret_key|.*\.(pem|key|p12|pfx|kdbx|sqlite3|rdb))$")
    assert [path for path in tree.files() if names.search(path.as_posix())] == []


PLANTED = {
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "one of our tokens": "vx11" + "p_q8Zr1vTn0XwLk3YbHs6DcJmE5uFgA9oPiW2xR7tNeQy",
    "a key of Amazon's": "AKIA" + "Q3EGXN7TZB5KDLW2",
    "a token of GitHub's": "ghp" + "_q8Zr1vTn0XwLk3YbHs6DcJmE5uFgA9oPiW2x",
    "a token of Slack's": "xoxb" + "-1234567890-abcdefghij",
    "a signed web token": "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiJvcGVyYXRvciJ9.c2lnbmF0dXJl",
    "a password in an address": "postgres://operator:" + "hunter2hunter2@db.example.org/operator",
    "a random value that is called a secret": "VX11_SECRET_KEY=" + "q8Zr1vTn0XwLk3YbHs6DcJmE5uFgA9oPiW2x",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_l07_a_planted_secret_is_found(kind: str) -> None:
    assert kind in findings(f"one line\n{PLANTED[kind]}\nanother line\n")


@pytest.mark.parametrize(
    "text",
    [
        "VX11_PRINCIPAL_TOKEN=<a long random text>",
        'token = "a-name-that-is-long-and-of-words-alone"',
        "X-VX11-Token: $VX11_PRINCIPAL_TOKEN",
        "postgres://user:password@host:5432/name",
        "secret = secrets.token_urlsafe(SECRET_BYTES)",
    ],
)
def test_l07_what_only_speaks_of_secrets_is_none(text: str) -> None:
    assert findings(text) == []


def test_l07_the_folder_of_data_is_not_in_the_checkout() -> None:
    assert [path for path in tree.files() if path.parts[0] == "data"] == []
    assert "/data/" in Path(tree.ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_l07_what_is_right_on_ones_own_machine_does_not_pass_for_public_use(tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("VX11_", "DJANGO_"))}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        check=False,
        cwd=tree.ROOT,
        env={**inherited, "VX11_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "VX11_PUBLIC_URL" in done.stderr
