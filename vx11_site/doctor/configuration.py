"""The settings: system checks, variables that are not read, and the permissions of files with secrets."""

import stat
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core import checks

from gateway.checks import deploy
from vx11_site.doctor.findings import Finding, fail, ok, warn

REPAIR = "This is a bug: please report it with the line above."
# Other areas report these.
REPORTED_ELSEWHERE = frozenset({"vx11.W001", "vx11.E015"})
SEE_DOCUMENTS = "See docs/operations.md."


def probe() -> Iterator[Finding]:
    always = _messages(checks.run_checks())
    security = checks.run_checks(tags=[checks.Tags.security], include_deployment_checks=True)
    deployed = [message for message in _messages(security) if message not in always]
    yield from map(_finding, always)
    if _is_public():
        yield from map(_finding, deployed)
    elif deployed:
        yield ok(f"fit for this machine; {len(deployed)} things to do before it is public: manage.py check --deploy")
    if not always and not deployed:
        yield ok("every system check passes, those for public installations too")


def _messages(found: list[checks.CheckMessage]) -> list[checks.CheckMessage]:
    return [message for message in found if not message.is_silenced() and message.id not in REPORTED_ELSEWHERE]


def _finding(message: checks.CheckMessage) -> Finding:
    make = fail if message.level >= checks.ERROR else warn
    return make(f"{message.msg} ({message.id})", message.hint or SEE_DOCUMENTS)


def _is_public() -> bool:
    return bool(settings.PUBLIC_URL) or not all(map(deploy.is_here, _hosts()))


def _hosts() -> list[str]:
    return [host.strip("[]") for host in settings.ALLOWED_HOSTS]


def probe_environment() -> Iterator[Finding]:
    unknown = settings.ENVIRONMENT.unknown_names()
    for sentence in unknown:
        yield warn(sentence, "Correct its name, or take it out: docs/settings.md lists every variable.")
    if not unknown:
        yield ok("every VX11_ variable that is set is read")


def probe_secrets() -> Iterator[Finding]:
    bad = False
    key = Path(settings.DATA_DIR) / "secret_key"
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
        bad = True
        yield fail(f"{key} is readable by others, who can make sessions with it", f"chmod 600 {key}; replace it")
    for path in sorted(deploy.open_to_others()):
        bad = True
        make = warn if path.is_dir() else fail
        yield make(f"every user of this machine can enter or read {path}", f"chmod o= {path}")
    if not bad:
        yield ok("keys, tokens and data are readable by their owner only")
