"""/metrics: counters that a dashboard can trust."""

from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from tests.client import API, Client, Event
from tests.stacks import Stack


def counter(client: Client, name: str, **labels: str) -> float:
    """A counter's value now; 0 while nothing was counted."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return sum(sample.value for sample in samples if (sample.name, sample.labels) == (name, labels))


def test_events_that_were_published_before_are_not_counted_again(
    service: Client, marker: str, new_event: Callable[..., Event]
) -> None:
    first, second, third = (new_event(event_id=f"{marker}-{number}") for number in range(3))
    before = counter(service, "vx11_events_published_total")
    assert service.publish([first, second]).status_code == 201
    assert service.publish([first, second, third]).status_code == 201
    assert service.publish([first, second, third]).status_code == 200
    assert counter(service, "vx11_events_published_total") == before + 3


def test_statements_and_migrations_are_among_the_metrics(principal: Client, stack: Stack) -> None:
    vendor = "sqlite" if stack.size == "embedded" else "postgresql"
    before = counter(principal, "django_db_execute_total", alias="default", vendor=vendor)
    assert principal.poll().status_code == 200
    assert counter(principal, "django_db_execute_total", alias="default", vendor=vendor) > before
    assert counter(principal, "django_migrations_unapplied_total", connection="default") == 0
    assert counter(principal, "django_migrations_applied_total", connection="default") > 20


def test_a_credential_that_is_refused_is_counted_by_its_reason(principal: Client, stack: Stack) -> None:
    anybody = stack.client("a-token-that-nobody-issued")
    before = counter(principal, "vx11_sse_auth_failures_total", reason="main_auth_failed")
    assert anybody.get(f"{API}/events").status_code == 401
    assert counter(principal, "vx11_sse_auth_failures_total", reason="main_auth_failed") == before + 1
