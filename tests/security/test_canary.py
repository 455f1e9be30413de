"""After a busy day no credential is found in anything that an installation keeps or says."""

from collections.abc import Iterator

import pytest

from tests.client import API
from tests.conftest import POSTGRES
from tests.security import busy_day, places
from tests.security.bugs import environment_with_bug
from tests.security.busy_day import Day
from tests.security.nginx import PrivateNginx
from tests.stacks import Size, Stack

# Where things are planted, so that the search is seen to find them.
PLANTED = "planted-9e107d9d372bb6826bd81d3542a419d6"
PLANT_ROW = f"from django.contrib.auth.models import User; User.objects.create(username='planted', email='{PLANTED}')"


@pytest.fixture(scope="module")
def day(
    stack_size: Size, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[tuple[Day, dict[str, bytes]]]:
    """A day, and all that is left of it. Its log is not asserted to be clean: a bug was made on purpose."""
    folder = tmp_path_factory.mktemp("canary")
    with (
        Stack(
            stack_size,
            folder / "stack",
            postgres=pytestconfig.stash[POSTGRES],
            environment=environment_with_bug(folder),
        ) as stack,
        PrivateNginx(stack.servers) as nginx,
        places.monitored(stack.redis if stack_size == "scaled" else None),
    ):
        day = busy_day.live(stack, nginx)
        plant(day)
        yield day, {**places.collect(stack, nginx.folder), **day.answers}


def plant(day: Day) -> None:
    """A word that is no secret, by every way that leads to one of the places."""
    with day.client(day.nginx.url) as client:
        day.ask(client, "GET", f"{API}/events/{PLANTED}", headers={"X-Correlation-Id": PLANTED})
    day.stack.a.python(PLANT_ROW)
    if day.stack.size == "scaled":
        for command in (
            ("SET", "string", PLANTED),
            ("HSET", "hash", "field", PLANTED),
            ("RPUSH", "list", PLANTED),
            ("SADD", "set", PLANTED),
            ("ZADD", "sorted", 1, PLANTED),
            ("XADD", "stream", "*", "field", PLANTED),
            ("PUBLISH", "channel", PLANTED),
            ("SET", PLANTED, "key"),
        ):
            day.stack.redis.ask(*command)


def test_l01_the_day_was_a_busy_one(day: tuple[Day, dict[str, bytes]]) -> None:
    lived, _ = day
    assert lived.statuses >= {200, 201, 302, 400, 401, 403, 404, 405, 406, 415, 422, 500}
    assert len(lived.tickets) > 5
    assert {"principal token", "issued service token", "password", "session key"} < lived.secrets.keys()


@pytest.mark.parametrize(
    "kind",
    [
        "principal token",
        "service token",
        "issued",
        "issued in the admin",
        "that met a bug",
        "password",
        "session key",
        "ticket",
    ],
)
def test_l01_a29_a30_no_credential_is_found_anywhere(day: tuple[Day, dict[str, bytes]], kind: str) -> None:
    lived, found = day
    secrets = {name: secret for name, secret in lived.secrets.items() if kind in name}
    assert secrets
    assert places.traces(secrets, found) == {}


def test_a29_no_address_of_a_person_is_in_redis_or_a_log(day: tuple[Day, dict[str, bytes]]) -> None:
    lived, found = day
    assert lived.email
    assert places.traces({"e-mail": lived.email}, found, but_for=["database", "operator.sqlite3", "/admin/"]) == {}


def test_l01_the_key_that_signs_sessions_is_where_it_belongs_and_nowhere_else(
    day: tuple[Day, dict[str, bytes]],
) -> None:
    lived, found = day
    server = lived.stack.a
    key = server.environment.get("VX11_SECRET_KEY") or server.python(
        "from django.conf import settings; print(settings.SECRET_KEY)"
    )
    assert places.traces({"key": key.strip()}, found, but_for=["data/secret_key"]) == {}


def test_l01_the_search_finds_what_was_planted_in_every_kind_of_place(day: tuple[Day, dict[str, bytes]]) -> None:
    lived, found = day
    names = places.places_of(PLANTED, found)
    kinds = ["serve-", "access.log", f"database dump: {places.database_name(lived.stack)}", "answer"]
    kinds += ["dump.rdb", "monitor.log"] if lived.stack.size == "scaled" else ["operator.sqlite3"]
    assert [kind for kind in kinds if not any(kind in name for name in names)] == []


@pytest.mark.parametrize("form", range(5))
def test_l01_the_search_knows_the_ways_in_which_a_secret_is_written(form: int) -> None:
    secret = "abc~?> secret/&"
    written = sorted(places.forms(secret))[form]
    assert places.places_of(secret, {"here": b"x" + written + b"y", "there": b"nothing"}) == ["here"]
    assert places.places_of(secret + "2", {"here": b"nothing"}) == []
