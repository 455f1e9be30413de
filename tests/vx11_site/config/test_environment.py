"""The environment as typed values, and what is said when a value cannot be used."""

from pathlib import Path

import pytest

from vx11_site.config.environment import VARIABLES, BadEnvironment, Environment

SECRETS = [variable.name for variable in VARIABLES if variable.secret]


def test_what_is_not_set_has_its_default() -> None:
    environment = Environment({})
    assert environment.text("VX11_DATABASE_URL") == ""
    assert environment.number("VX11_HEARTBEAT_SECONDS", minimum=1, maximum=300) == 10
    assert environment.flag("VX11_SSE_TOKEN_SINGLE_USE") is True
    assert environment.items("VX11_ALLOWED_HOSTS") == ["localhost", "127.0.0.1", "[::1]"]


def test_every_default_can_be_used() -> None:
    for variable in VARIABLES:
        assert Environment({}).text(variable.name) == variable.default


@pytest.mark.parametrize(
    ("word", "value"),
    [("1", True), ("TRUE", True), ("yes", True), (" on ", True), ("0", False), ("No", False), ("", False)],
)
def test_a_flag_is_any_of_the_usual_words(word: str, value: bool) -> None:  # noqa: FBT001
    assert Environment({"VX11_DEBUG": word}).flag("VX11_DEBUG") is value


@pytest.mark.parametrize("word", ["maybe", "2", "truefalse"])
def test_a_flag_of_any_other_word_is_refused_by_name(word: str) -> None:
    with pytest.raises(BadEnvironment, match="VX11_DEBUG"):
        Environment({"VX11_DEBUG": word}).flag("VX11_DEBUG")


@pytest.mark.parametrize("text", ["often", "", "1.5", "0", "301", "-1", "1e2"])
def test_a_number_out_of_bounds_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadEnvironment, match="VX11_HEARTBEAT_SECONDS"):
        Environment({"VX11_HEARTBEAT_SECONDS": text}).number("VX11_HEARTBEAT_SECONDS", minimum=1, maximum=300)


@pytest.mark.parametrize(("text", "rows"), [("", 7), (" ", 7), ("5", 5)])
def test_a_number_whose_default_depends_on_others_may_be_empty(text: str, rows: int) -> None:
    environment = Environment({"VX11_EVENT_RETENTION_ROWS": text})
    assert environment.number("VX11_EVENT_RETENTION_ROWS", minimum=1, maximum=9, unset=7) == rows


@pytest.mark.parametrize("text", ["", "-0.1", "1.1", "nan", "some"])
def test_a_share_out_of_bounds_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadEnvironment, match="VX11_TRACES_RATIO"):
        Environment({"VX11_TRACES_RATIO": text}).share("VX11_TRACES_RATIO")


@pytest.mark.parametrize(("text", "share"), [("0", 0), ("0.25", 0.25), (" 1 ", 1)])
def test_a_share_is_a_number_from_0_to_1(text: str, share: float) -> None:
    assert Environment({"VX11_TRACES_RATIO": text}).share("VX11_TRACES_RATIO") == share


def test_a_list_leaves_out_what_is_empty() -> None:
    assert Environment({"VX11_ALLOWED_HOSTS": " a, ,b,"}).items("VX11_ALLOWED_HOSTS") == ["a", "b"]


@pytest.mark.parametrize("name", ["VX11_PRINCIPAL_TOKEN", "VX11_SERVICE_TOKEN", "VX11_CHAT_UPSTREAM_TOKEN"])
@pytest.mark.parametrize("odd", ["\n", "\r\n", "\0", "\x1b", "\x7f", "\t", "\x85", "\u2028", "é"])
def test_a_token_that_no_header_can_hold_is_refused_by_the_name_of_its_variable(name: str, odd: str) -> None:
    environment = Environment({name: f"first-half{odd}second-half"})
    for read in (environment.tokens, environment.token):
        with pytest.raises(BadEnvironment, match=name) as raised:
            read(name)
        assert "half" not in str(raised.value)


def test_tokens_are_a_comma_list_with_ends_of_lines_around_them() -> None:
    assert Environment({"VX11_SERVICE_TOKEN": "one,\ntwo\n"}).tokens("VX11_SERVICE_TOKEN") == ["one", "two"]


def test_a_file_of_tokens_that_becomes_unusable_leaves_those_that_were_read_before(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("one\ntwo")
    environment = Environment({"VX11_SERVICE_TOKEN_FILE": str(tmp_path / "tokens")})
    assert environment.tokens_now("VX11_SERVICE_TOKEN", ["before"]) == ["before"]


@pytest.mark.parametrize("name", SECRETS)
def test_every_secret_may_come_from_a_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("from the file\n")
    assert Environment({f"{name}_FILE": str(path)}).text(name) == "from the file"
    assert Environment({f"{name}_FILE": str(path), name: "itself"}).text(name) == "itself"


def test_what_is_no_secret_is_not_read_from_a_file() -> None:
    assert Environment({"VX11_DEBUG_FILE": "/etc/hostname"}).text("VX11_DEBUG") == "false"


@pytest.mark.parametrize("path", ["/nowhere/secret", "/"])
def test_a_file_that_cannot_be_read_is_said_by_name(path: str) -> None:
    with pytest.raises(BadEnvironment, match="VX11_SECRET_KEY_FILE"):
        Environment({"VX11_SECRET_KEY_FILE": path}).text("VX11_SECRET_KEY")


def test_a_file_that_is_no_text_is_said_by_name(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadEnvironment, match="VX11_SECRET_KEY_FILE"):
        Environment({"VX11_SECRET_KEY_FILE": str(path)}).text("VX11_SECRET_KEY")


def test_no_secret_stands_in_a_complaint() -> None:
    with pytest.raises(BadEnvironment) as raised:
        Environment({"VX11_DEBUG": "x", "VX11_SECRET_KEY": "hush"}).flag("VX11_DEBUG")
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "http://assistant:9000/ask", "https://127.0.0.1/", "http://[::1]:80"])
def test_an_address_is_one_of_http_or_none(text: str) -> None:
    assert Environment({"VX11_CHAT_UPSTREAM_URL": text}).address("VX11_CHAT_UPSTREAM_URL") == text


@pytest.mark.parametrize("text", ["assistant:9000", "ftp://assistant/", "http://", "http://a:b/", "http://me:secret@"])
def test_another_address_is_refused_by_name_and_not_shown(text: str) -> None:
    with pytest.raises(BadEnvironment, match="VX11_CHAT_UPSTREAM_URL") as refused:
        Environment({"VX11_CHAT_UPSTREAM_URL": text}).address("VX11_CHAT_UPSTREAM_URL")
    assert "secret" not in str(refused.value)


def test_a_choice_is_one_of_its_words_and_any_other_is_refused_by_name() -> None:
    assert Environment({}).choice("VX11_ROLE", ("all", "gateway", "backend")) == "all"
    assert Environment({"VX11_ROLE": " Gateway"}).choice("VX11_ROLE", ("all", "gateway", "backend")) == "gateway"
    with pytest.raises(BadEnvironment, match="VX11_ROLE is 'edge'; use all, gateway or backend"):
        Environment({"VX11_ROLE": "edge"}).choice("VX11_ROLE", ("all", "gateway", "backend"))


def test_a_list_in_a_file_is_read_anew_and_holds_while_the_file_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    environment = Environment({"VX11_SERVICE_TOKEN_FILE": str(path)})
    assert environment.tokens_now("VX11_SERVICE_TOKEN", ["before"]) == ["before"]
    path.write_text("")
    assert environment.tokens_now("VX11_SERVICE_TOKEN", ["before"]) == ["before"]
    path.write_text("one, two\n")
    assert environment.tokens_now("VX11_SERVICE_TOKEN", ["before"]) == ["one", "two"]
