"""views and views/<id>: queries that operators keep under a name, for themselves or for all."""

import uuid
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from events.http.polling import read_time
from events.query import BadQuery, parse
from gateway.filters import BadFilter
from gateway.http.errors import ApiError
from gateway.http.openapi import body_of, component, refuses
from gateway.http.rest import answer
from ledger.reader import questions
from ledger.writer import writer
from operator_api import saved_views
from operator_api.http import openapi
from operator_api.http.endpoint import OperatorEndpoint
from operator_api.http.fields import Fields
from operator_api.models import VIEW_NAME_LENGTH, VIEW_PATHS_LENGTH, VIEW_QUERY_LENGTH, VIEW_TIME_LENGTH
from operator_api.saved_views import NameTaken, NoSuchView, NotAllowed, Removal, TooMany, View, ViewActor, ViewChange

FIELDS = ("name", "query", "from", "to", "columns", "facets", "shared", "start")
READ: dict[str, str | None] = {"GET": "events:read"}


class SavedViewEndpoint(OperatorEndpoint):
    @property
    def owner(self) -> ViewActor:
        principal = self.principal
        return ViewActor(
            principal.public_id,
            principal.name or principal.public_id,
            saved_views.SHARE in principal.scopes,
            self.caller.address,
            self.caller.correlation_id,
        )

    async def change(self, wanted: ViewChange) -> View:
        """Raises ApiError."""
        try:
            view: View = await writer.commit(saved_views.change_many, wanted)
        except NoSuchView:
            raise _no_such_view() from None
        except NotAllowed:
            raise ApiError("insufficient_scope", title=_WHY_NOT) from None
        except NameTaken:
            raise ApiError("view_name_taken") from None
        except TooMany as limit:
            raise ApiError("too_many_views", title=str(limit)) from None
        return view


class SavedViewsView(SavedViewEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {**READ, "POST": "events:read"}

    @extend_schema(operation_id="saved_views", responses={200: component("SavedViews")})
    async def get(self, request: HttpRequest) -> HttpResponse:
        """One's own views by name, then those that others share."""
        who = self.principal.public_id
        return answer({"views": await questions.run_for(who, saved_views.visible_to, who)})

    @extend_schema(
        operation_id="save_view",
        request=body_of("SavedViewToKeep"),
        responses={201: component("SavedView")},
        extensions=refuses("insufficient_scope", "view_name_taken", "too_many_views"),
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Keep a view under a name. To share it needs `views:share`."""
        await self.count_change()
        fields, start = await self.read(request, _read_new)
        return answer(await self.change(ViewChange(uuid.uuid4(), fields, self.owner, start, is_new=True)), 201)


class SavedViewView(SavedViewEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {**READ, "PATCH": "events:read", "DELETE": "events:read"}

    @extend_schema(
        operation_id="saved_view",
        parameters=[openapi.VIEW_PARAMETER],
        responses={200: component("SavedView")},
        extensions=refuses("not_found"),
    )
    async def get(self, request: HttpRequest, view_id: str) -> HttpResponse:
        """One of them."""
        who = self.principal.public_id
        view = await questions.run_for(who, saved_views.one_visible_to, who, _read_id(view_id))
        if view is None:
            raise _no_such_view()
        return answer(view)

    @extend_schema(
        operation_id="change_view",
        parameters=[openapi.VIEW_PARAMETER],
        request=body_of("SavedViewChange"),
        responses={200: component("SavedView")},
        extensions=refuses("not_found", "insufficient_scope", "view_name_taken", "too_many_views"),
    )
    async def patch(self, request: HttpRequest, view_id: str) -> HttpResponse:
        """Change some fields of one's own view; `start` also of a view that others share."""
        await self.count_change()
        fields, start = await self.read(request, _read_changes)
        return answer(await self.change(ViewChange(_read_id(view_id), fields, self.owner, start)))

    @extend_schema(
        operation_id="delete_view",
        parameters=[openapi.VIEW_PARAMETER],
        responses={200: component("SavedViewDeleted")},
        extensions=refuses("not_found", "insufficient_scope"),
    )
    async def delete(self, request: HttpRequest, view_id: str) -> HttpResponse:
        """Delete one's own view, also for those with whom it is shared."""
        await self.count_change()
        try:
            await writer.commit(saved_views.remove_many, Removal(_read_id(view_id), self.owner))
        except NoSuchView:
            raise _no_such_view() from None
        except NotAllowed:
            raise ApiError("insufficient_scope", title=_WHY_NOT) from None
        return answer({"id": view_id, "status": "ok"})


_WHY_NOT = "The view is another person's, or sharing needs the scope views:share."


def _no_such_view() -> ApiError:
    return ApiError("not_found", title="There is no such view.")


def _read_id(text: str) -> uuid.UUID:
    """Raises ApiError."""
    try:
        return uuid.UUID(text)
    except ValueError:
        raise _no_such_view() from None


def _read_new(body: dict[str, Any]) -> tuple[dict[str, Any], bool | None]:
    return _read(body, is_new=True)


def _read_changes(body: dict[str, Any]) -> tuple[dict[str, Any], bool | None]:
    return _read(body, is_new=False)


def _read(body: dict[str, Any], *, is_new: bool) -> tuple[dict[str, Any], bool | None]:
    """The fields to set, and `start`. Raises ApiError for all that are wrong."""
    fields = Fields(body)
    fields.refuse_unknown(FIELDS)
    values: dict[str, Any] = {}
    if is_new or "name" in body:
        values["name"] = fields.line("name", maximum=VIEW_NAME_LENGTH, required=True).strip()
    lines = {"query": VIEW_QUERY_LENGTH, "columns": VIEW_PATHS_LENGTH, "facets": VIEW_PATHS_LENGTH}
    for name, maximum in lines.items():
        if name in body:
            values[name] = fields.line(name, maximum=maximum)
    for name in ("from", "to"):
        if name in body:
            values[f"time_{name}"] = _read_time(fields, name)
    if "query" in values:
        _check_query(fields, values["query"])
    for name in ("shared", "start"):
        if name in body:
            values[name] = fields.flag(name)
    start = values.pop("start", None)
    fields.refuse_wrong()
    return values, start


def _read_time(fields: Fields, name: str) -> str:
    text = fields.line(name, maximum=VIEW_TIME_LENGTH)
    try:
        if text:
            read_time(name, text)
    except BadFilter as wrong:
        fields.wrong(name, str(wrong))
    return text


def _check_query(fields: Fields, text: str) -> None:
    try:
        if text.strip():
            parse(text)
    except BadQuery as mistake:
        fields.wrong("query", mistake.sentence)
