"""Questions of these tests end by their rows: how long a busy machine takes for them is no part of what is asked."""

import pytest

# Longer than any test.
NO_LIMIT_SECONDS = 3_600.0


@pytest.fixture(autouse=True)
def endless_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # Here, because this file is read before Django is set up.
    from events.search import budget

    monkeypatch.setattr(budget, "QUESTION_SECONDS", NO_LIMIT_SECONDS)
