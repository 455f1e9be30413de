"""The units of deploy/systemd: systemd accepts them, they are shut in, and they give a server time to say goodbye."""

import http.server
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes import free_port
from tests.servers import ROOT
from tests.waiting import wait_until
from vx11_client.syslog.limits import Limits
from vx11_site.config.environment import VARIABLES, Environment

pytestmark = pytest.mark.once

SHIPPED = ROOT / "deploy/systemd"
UNITS = sorted(path.name for path in SHIPPED.iterdir() if path.suffix in (".service", ".target", ".timer"))
# systemd-analyze calls up to 2 OK; nothing at all is 10.
EXPOSURE = {
    "vx11-operator@8001.service": 15,
    "vx11-operator-receive-syslog.service": 15,
    "vx11-operator-migrate.service": 30,
    "vx11-operator-chores.service": 30,
}
# To leave after the drain.
LEAVE_SECONDS = 10
SECONDS = {"s": 1, "min": 60, "h": 3600}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, with the program where it is on this machine, and one instance."""
    folder = tmp_path_factory.mktemp("units")
    for name in UNITS:
        text = (SHIPPED / name).read_text(encoding="utf-8")
        text = text.replace("/srv/vx11-operator/.venv/bin/python", sys.executable).replace(
            "/srv/vx11-operator", str(ROOT)
        )
        (folder / name.replace("@.", "@8001.")).write_text(text, encoding="utf-8")
    return folder


def test_systemd_accepts_the_units(installed: Path) -> None:
    units = sorted(installed.iterdir())
    assert len(units) == len(UNITS) > 4
    # Documentation is looked for by man, which machines that test need not have.
    command = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", EXPOSURE)
def test_a_unit_can_reach_little_of_the_machine(installed: Path, unit: str) -> None:
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE[unit]}", str(installed / unit)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout


def values(unit: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", (SHIPPED / unit).read_text(encoding="utf-8"), re.MULTILINE)


def test_a_server_is_not_killed_while_it_says_goodbye() -> None:
    (text,) = values("vx11-operator@.service", "TimeoutStopSec")
    number, unit = re.fullmatch(r"(\d+)(s|min|h)", text).groups()  # type: ignore[union-attr]
    drain_seconds = Environment({}).number("VX11_DRAIN_SECONDS", minimum=1, maximum=600)
    assert int(number) * SECONDS[unit] >= drain_seconds + LEAVE_SECONDS


def test_the_receiver_of_syslog_runs_with_its_example_and_may_publish_at_its_end(tmp_path: Path) -> None:
    """As systemd would start it, with the settings of the two files alone, a free port and no gateway."""
    unit = "vx11-operator-receive-syslog.service"
    example = (SHIPPED / "receive-syslog.env.example").read_text(encoding="utf-8")
    settings = dict(line.split("=", 1) for line in example.splitlines() if line and not line.startswith("#"))
    port = free_port()
    options = settings.pop("RECEIVE_SYSLOG_OPTIONS").replace("5514", str(port)).split()
    secret = tmp_path / "token"
    secret.write_text("a-token-of-a-test-that-no-gateway-ever-sees-0123456789")
    settings |= {"VX11_SERVICE_TOKEN_FILE": str(secret), "VX11_DATA_DIR": str(tmp_path / "state")}
    settings["VX11_URL"] = "http://127.0.0.1:9"
    (start,) = values(unit, "ExecStart")
    arguments = start.removesuffix(" $RECEIVE_SYSLOG_OPTIONS").split()[1:]
    assert len(arguments) + 1 < len(start.split())
    (tmp_path / "state").mkdir(mode=0o700)
    log = tmp_path / "log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            [sys.executable, *arguments, *options], cwd=ROOT, env=settings, stdout=out, stderr=subprocess.STDOUT
        ) as receiver,
    ):
        try:
            # Its port takes connections a moment before it takes signals.
            wait_until(
                lambda: receiver.poll() is not None or "listening at" in log.read_text(),
                "the receiver listens",
                timeout_seconds=40,
            )
            assert accepts(port), log.read_text()
            receiver.terminate()
            assert receiver.wait(40) == 0
        finally:
            receiver.kill()
    (text,) = values(unit, "TimeoutStopSec")
    assert int(text.removesuffix("s")) >= Limits().stop_seconds + LEAVE_SECONDS
    assert int(values(unit, "LimitNOFILE")[0]) > Limits().connections


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_process_that_hangs_leaves_its_memory_on_no_disk() -> None:
    assert values("vx11-operator@.service", "WatchdogSec")
    assert values("vx11-operator@.service", "LimitCORE") == ["0"]


def test_commands_by_hand_have_the_settings_and_the_limits_of_servers() -> None:
    script = (SHIPPED / "vx11-operator-manage").read_text(encoding="utf-8")
    for key in ("EnvironmentFile", "LimitNOFILE", "UMask"):
        assert f"--property={key}={values('vx11-operator@.service', key)[0]}" in script
    assert f"--working-directory={values('vx11-operator@.service', 'WorkingDirectory')[0]}" in script


def test_every_setting_of_the_units_and_their_example_exists() -> None:
    known = {v.name for v in VARIABLES} | {f"{v.name}_FILE" for v in VARIABLES if v.secret}
    texts = [path.read_text(encoding="utf-8") for path in SHIPPED.iterdir()]
    named = {name for text in texts for name in re.findall(r"\b(VX11_[A-Z_]+)=", text)}
    assert named
    assert named - known == set()


# --- one after the other ---


class Ready(http.server.BaseHTTPRequestHandler):
    """Answers /ready with the statuses it was told to, the last one for ever."""

    statuses: Sequence[int] = ()

    def do_GET(self) -> None:
        server: Probed = self.server  # type: ignore[assignment]  # it is one of ours
        status = server.statuses.pop(0) if len(server.statuses) > 1 else server.statuses[0]
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nowhere."""


class Probed(http.server.ThreadingHTTPServer):
    statuses: list[int]


@contextmanager
def probed(*statuses: int, host: str = "127.0.0.1") -> Iterator[int]:
    """A port whose /ready answers so."""
    with Probed((host, 0), Ready) as server:
        server.statuses = list(statuses)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def rolling_restart(
    folder: Path, ports: Sequence[int], *, running: Sequence[int] = (), settings: Mapping[str, str] | None = None
) -> tuple[int, list[str]]:
    """Exit code of the script, and what it asked of a systemctl that only writes it down. `settings`: text by file."""
    for name, text in (settings or {}).items():
        (folder / name).write_text(text)
    systemctl, asked = folder / "systemctl", folder / "asked"
    units = "".join(f"vx11-operator@{port}.service loaded active running VX11\\n" for port in running)
    systemctl.write_text(f'#!/bin/sh\necho "$@" >>{asked}\nif [ "$1" = list-units ]; then printf "{units}"; fi\n')
    systemctl.chmod(0o700)
    done = subprocess.run(
        [SHIPPED / "vx11-operator-rolling-restart", *map(str, ports)],
        check=False,
        env={"PATH": f"{folder}:/usr/bin:/bin", "READY_SECONDS": "1", "SETTINGS": str(folder)},
        capture_output=True,
        text=True,
        timeout=50,
    )
    calls = asked.read_text().splitlines() if asked.exists() else []
    return done.returncode, [call for call in calls if call.startswith("restart")]


def test_a_rolling_restart_waits_for_each_process_and_takes_all_that_run(tmp_path: Path) -> None:
    with probed(503, 200) as first, probed(200) as second:
        code, restarted = rolling_restart(tmp_path, [], running=[first, second])
    assert (code, restarted) == (0, [f"restart vx11-operator@{port}.service" for port in (first, second)])


def test_a_rolling_restart_stops_at_a_process_that_does_not_come_back(tmp_path: Path) -> None:
    with probed(503) as broken, probed(200) as fine:
        code, restarted = rolling_restart(tmp_path, [broken, fine])
    assert (code, restarted) == (1, [f"restart vx11-operator@{broken}.service"])


def test_a_rolling_restart_asks_a_process_where_it_listens(tmp_path: Path) -> None:
    of_all = {"vx11-operator.env": "VX11_ROLE=all\nHOST=127.0.0.2\n"}
    with probed(200, host="127.0.0.2") as inner, probed(200) as outer:
        settings = of_all | {f"{outer}.env": 'HOST="127.0.0.1"\n'}
        code, restarted = rolling_restart(tmp_path, [inner, outer], settings=settings)
    assert (code, len(restarted)) == (0, 2)


def test_a_rolling_restart_takes_backends_before_gateways(tmp_path: Path) -> None:
    with probed(200) as gateway, probed(200) as backend:
        settings = {f"{gateway}.env": "VX11_ROLE=gateway\n", f"{backend}.env": "VX11_ROLE=backend\n"}
        code, restarted = rolling_restart(tmp_path, [], running=[gateway, backend], settings=settings)
    assert (code, restarted) == (0, [f"restart vx11-operator@{port}.service" for port in (backend, gateway)])


def test_a_rolling_restart_of_nothing_is_a_mistake(tmp_path: Path) -> None:
    assert rolling_restart(tmp_path, []) == (1, [])
