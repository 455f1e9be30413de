"""Names of console sessions: each has its own, and none can be used as the session's key."""

from gateway.identity import actors, console_sessions
from gateway.identity.actors import THE_PROGRAM, Actor, acting


def test_each_session_has_a_name_and_a_row_of_its_own() -> None:
    keys = ("a" * 32, "b" * 32, "")
    for name_of, length in (
        (console_sessions.session_id, console_sessions.ID_LENGTH),
        (console_sessions.row_key, console_sessions.ROW_KEY_LENGTH),
    ):
        names = [name_of(key) for key in keys]
        assert len(set(names)) == len(keys)
        assert {len(name) for name in names} == {length}
        assert not set(names) & set(keys)
        assert name_of(keys[0]) == names[0]
        assert name_of(None) == name_of("")


def test_an_actor_acts_within_its_block_and_the_one_before_it_after_it() -> None:
    with acting("alice", address="192.0.2.1", correlation_id="c-1"):
        assert actors.current.get() == Actor("alice", "192.0.2.1", "c-1")
        with acting("manage.py revoke_token"):
            assert actors.current.get() == Actor("manage.py revoke_token")
        assert actors.current.get().name == "alice"
    assert actors.current.get() == THE_PROGRAM
