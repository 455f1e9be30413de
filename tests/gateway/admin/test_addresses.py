"""What an address of the admin may ask for: what the admin's own links ask for, and nothing else."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote, urljoin, urlsplit

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.db import connection, models
from django.http import HttpRequest, QueryDict
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from gateway.admin.own_links import SEARCH_LIMIT_CHARACTERS, SEARCH_LIMIT_WORDS, OwnLinksAdmin
from gateway.models import TokenAudit
from tests.gateway.admin.people import browser_of, staff
from tests.gateway.samples import issue

pytestmark = pytest.mark.usefixtures("ledger")

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
LINK = re.compile(r'href="([^"#]+)"')
AUDIT, TOKENS, USERS = "/admin/gateway/tokenaudit/", "/admin/gateway/accesstoken/", "/admin/auth/user/"
MANY = ",".join(map(str, range(10_000)))
# Whatever the list.
STRANGE = [
    *("nonsense=1", "nonsense__regex=(a%2B)%2B$", f"pk__in={MANY}", "pk=1", "id=1", "id__isnull=True", "pk__gt=x"),
    *("e=1", "e=", "_facets=True", "_popup=1", "_popup=x", "_to_field=id", "_to_field=password", "_source_model=x"),
    *("o=x", "o=99", "o=-99", "o=1.1", "o=%D9%A1", "o=--1", "o=1.", f"o={'9' * 5000}", f"o={'1.' * 2000}1", "o=1&o=1"),
    *("p=0", "p=-1", "p=x", "p=1e9", f"p={2**64}", f"p={'9' * 5000}", "p=%D9%A1", "p=1&p=1", "p=", "p=+1"),
    *(
        "all=1",
        "all=&all=",
        "_changelist_filters=x",
        "term=x",
        "export=1",
        "DROP%20TABLE=1",
        "%E2%80%AE=1",
        "__=1",
        "=1",
    ),
    f"q={'a' * (SEARCH_LIMIT_CHARACTERS + 1)}",
    f"q={'a' * 60_000}",
    f"q={'a+' * SEARCH_LIMIT_WORDS}a",
    "q=a&q=b",
]
LOOK_UPS = {
    "regex": "(a%2B)%2B$",
    "in": MANY,
    "year": "99999",
    **dict.fromkeys(("iregex", "contains", "startswith", "gt", "range", "isnull", "exact", "iexact"), "99999"),
}
# Filters that take any value: what is gone is offered no more, and is in the rows still.
WRITTEN_BY_HAND = {"actor", "node", "principal"}


def list_of(model: type[models.Model]) -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def look_ups(model: type[models.Model]) -> Iterator[str]:
    """Each field, and those of relations, by look-ups that no link makes: each look-up with one field at least."""
    for place, field in enumerate(model._meta.get_fields()):
        if field.name not in WRITTEN_BY_HAND:
            yield f"{field.name}=99999"
        for name in list(LOOK_UPS)[place % 3 :: 3]:
            yield f"{field.name}__{name}={LOOK_UPS[name]}"
        if field.is_relation and field.related_model is not None:
            for other in list(field.related_model._meta.get_fields())[:3]:
                yield f"{field.name}__{other.name}__startswith=a"


def browser(user: User | None = None) -> Client:
    client = browser_of(user or staff(superuser=True))
    client.raise_request_exception = False
    return client


def refuses(page: admin.ModelAdmin, request: HttpRequest) -> bool:
    try:
        page.changelist_view(request)
    except BadRequest:
        return True
    return False


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_n02_a_list_takes_no_look_up_that_its_links_do_not_make(model: type[models.Model]) -> None:
    asker = staff(superuser=True)
    page, table = admin.site._registry[model], f'FROM "{model._meta.db_table}"'
    for query in [*STRANGE, *look_ups(model)]:
        # The view itself: with all that stands before it, so many requests would take long.
        request = RequestFactory().get(f"{list_of(model)}?{query}")
        request.user = asker
        with CaptureQueriesContext(connection) as asked:
            assert refuses(page, request), f"{query[:80]} was answered"
        # Streams are counted for the choices of a filter.
        rows = [one["sql"][:200] for one in asked if table in one["sql"] and "GROUP BY" not in one["sql"]]
        assert rows == [], f"{query[:80]} was asked of the database"


def test_n02_a_look_up_that_no_link_makes_is_a_bad_request() -> None:
    client = browser()
    for address in (f"{AUDIT}?reason__regex=(a%2B)%2B$", f"{USERS}?date_joined__year=99999", f"{AUDIT}?id__in={MANY}"):
        answer = client.get(address)
        assert (answer.status_code, answer.json()["reason"]) == (400, "bad_request")
    assert client.post(f"{AUDIT}?nonsense=1", {"action": ""}).status_code == 400


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_n02_every_page_of_the_admin_is_held_to_its_own_links(model: type[models.Model]) -> None:
    client = browser()
    address = list_of(model)
    key = User.objects.get().pk
    for path in (f"{address}add/", f"{address}{key}/change/", f"{address}{key}/delete/", f"{address}{key}/history/"):
        plain = client.get(path).status_code
        assert plain < 500
        for query in ("nonsense=1", "is_superuser=1", "_popup=x", "_to_field=password", "e=1", "_popup=1&_popup=1"):
            assert client.get(f"{path}?{query}").status_code in {400, 403, 405}, f"{path}?{query}"
    for odd in ("x", "9" * 400, "9" * 5000, "-1", quote("é" * 300)):
        for page in ("change", "delete", "history"):
            assert client.get(f"{address}{odd}/{page}/").status_code < 500, f"{address}{odd[:40]}/{page}/"
    for chosen in ("x", "9" * 400):
        for action in ("delete_selected", "revoke", "disconnect"):
            form = {"action": action, "_selected_action": chosen, "index": "0", "select_across": "0"}
            assert client.post(address, form).status_code < 500, f"{action} of {chosen[:40]}"


def links(client: Client, address: str) -> Iterator[str]:
    """Addresses below /admin/ that this page leads to."""
    page = client.get(address)
    assert page.status_code == 200, f"the admin's own link {address} is answered with {page.status_code}"
    for found in LINK.findall(page.content.decode()):
        target = urljoin(address, unescape(found))
        if target.startswith("/admin/") and "/logout/" not in target and "/jsi18n/" not in target:
            yield target


@pytest.mark.once
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_n02_every_link_that_a_list_shows_is_one_that_it_takes(model: type[models.Model]) -> None:
    client = browser(staff(superuser=True, name="ana"))
    issue()
    TokenAudit(action="refused", reason="invalid_token: used", ticket_id="t-3f9a0c12de", actor="ana").save()
    start = list_of(model)
    searched = f"{start}?q={quote('ana maría')}" if admin.site._registry[model].search_fields else start
    known: set[tuple[str, tuple[str, ...]]] = set()
    waiting = [start, searched]
    while waiting:
        address = waiting.pop(0)
        for target in links(client, address):
            # Each kind of address once: that is a page and what it is told, and not each value of that.
            names = sorted(QueryDict(urlsplit(target).query))
            kind = (urlsplit(target).path, tuple(names))
            if kind not in known and target.startswith(start) and len(names) <= 2:
                known.add(kind)
                waiting.append(target)
    assert known


@pytest.mark.parametrize("role", ["operator", "auditor"])
def test_n02_rights_to_look_are_no_rights_to_guess(role: str) -> None:
    client = browser(staff(role))
    for model in MODELS:
        answer = client.get(f"{list_of(model)}?pk__regex=(a%2B)%2B$")
        assert answer.status_code in {400, 403}


def test_n02_a_search_of_any_length_is_answered() -> None:
    client = browser()
    for model, page in admin.site._registry.items():
        for letter in ("%25", "%5C", "%F0%9F%98%80", "%22") if page.search_fields else ():
            answer = client.get(f"{list_of(model)}?q={letter * SEARCH_LIMIT_CHARACTERS}")
            assert answer.status_code == 200, f"{model._meta.label} {letter}"
        words = "+".join("a" * SEARCH_LIMIT_WORDS)
        assert client.get(f"{list_of(model)}?q={words}").status_code == (200 if page.search_fields else 400)


def test_n02_pages_beyond_the_last_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin.site._registry[TokenAudit], "list_per_page", 2)
    for _ in range(5):
        TokenAudit(action="refused").save()
    client = browser()
    assert client.get(f"{AUDIT}?p=3").status_code == 200
    assert client.get(f"{AUDIT}?p=99999").status_code == 400


def test_n02_ordering_is_by_columns_that_are_shown() -> None:
    client = browser()
    # The first column is that of boxes to tick, the third has no field of the table behind it.
    columns = ["action_checkbox", *admin.site._registry[User].list_display]
    assert (columns[1], columns[2]) == ("username", "roles")
    expected = {"o=": 200, "o=1": 200, "o=-1": 200, "o=1.-3": 200, "o=0": 400, "o=2": 400, f"o={len(columns)}": 400}
    assert {query: client.get(f"{USERS}?{query}").status_code for query in expected} == expected


def test_n02_the_values_of_a_filter_are_those_that_it_offers() -> None:
    issue()
    client = browser()
    expected = {
        f"{USERS}?is_staff__exact=1": 200,
        f"{USERS}?is_staff__exact=2": 400,
        f"{USERS}?is_staff__isnull=True": 400,
        f"{USERS}?groups__id__exact=999999": 400,
        f"{USERS}?groups__id__exact={'9' * 400}": 400,
        f"{USERS}?groups__isnull=True": 200,
        f"{USERS}?groups__isnull=x": 400,
        f"{TOKENS}?kind__exact=principal": 200,
        f"{TOKENS}?kind__exact=nonsense": 400,
        f"{TOKENS}?kind__exact=principal&kind__exact=service": 400,
        f"{TOKENS}?revoked_at__isempty=1": 200,
        f"{TOKENS}?revoked_at__isempty=2": 400,
        f"{AUDIT}?action__exact=refused&when=1h": 200,
        f"{AUDIT}?when=99999999h": 400,
        f"{AUDIT}?refused=nonsense": 400,
        # A person who is gone is in the audit still.
        f"{AUDIT}?actor=gone": 200,
        f"{AUDIT}?actor={'a' * 60_000}": 400,
        "/admin/events/streamsession/?state=nonsense": 400,
        "/admin/events/streamsession/?ended=nonsense": 400,
        "/admin/events/streamsession/?state=all&ended=revoked": 200,
        "/admin/events/event/?severity__exact=nonsense": 400,
        "/admin/events/event/?severity__exact=warn&when=7d": 200,
    }
    assert {address: client.get(address).status_code for address in expected} == expected


def test_n02_pages_that_no_link_of_the_admin_leads_to_answer_no_question() -> None:
    client = browser()
    one = "app_label=gateway&model_name=accesstoken&field_name=user&term=a"
    assert client.get(f"/admin/autocomplete/?{one}").status_code == 400
    assert client.get("/admin/autocomplete/").status_code == 400
    for key in ("1/1", f"{'9' * 400}/1", "1/x", f"1/{'9' * 400}", "1/" + "x" * 5000):
        assert client.get(f"/admin/r/{key}/").status_code in {400, 404}
    assert Client().get(f"/admin/autocomplete/?{one}").status_code == 302


def test_n02_every_admin_is_held_to_its_own_links() -> None:
    assert [model for model, page in admin.site._registry.items() if not isinstance(page, OwnLinksAdmin)] == []
