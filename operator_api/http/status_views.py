"""status, modules and settings: the state of the system, and settings that a front end stores here."""

from typing import Any, ClassVar

import orjson
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from gateway.http.errors import ApiError
from gateway.http.openapi import body_of, component, refuses
from gateway.http.rest import answer
from ledger.reader import questions
from ledger.writer import writer
from operator_api import operator_settings, windows
from operator_api.chat.exchange import WindowClosed
from operator_api.http import openapi
from operator_api.http.endpoint import ALL_KINDS, BY_POLICY, OperatorEndpoint
from operator_api.http.fields import Fields
from operator_api.operator_settings import Kept
from operator_api.status import read_status, read_without_backend
from vx11_client import exact_json


class StatusView(OperatorEndpoint):
    kinds = ALL_KINDS
    may_be_public = True
    scopes: ClassVar[dict[str, str | None]] = {"GET": None}

    @extend_schema(operation_id="status", responses={200: component("SystemStatus")})
    async def get(self, request: HttpRequest) -> HttpResponse:
        """The window and the status of every module. Answers also when the database is away, and says so."""
        return answer((await read_status()).status())

    async def without_backend(self) -> HttpResponse:
        return answer((await read_without_backend()).status())


class ModulesView(OperatorEndpoint):
    kinds = ALL_KINDS
    may_be_public = True
    scopes: ClassVar[dict[str, str | None]] = {"GET": None}

    @extend_schema(operation_id="modules", responses={200: component("Modules")})
    async def get(self, request: HttpRequest) -> HttpResponse:
        """Every module: whether it is up, why not, and when it last published or answered."""
        return answer({"modules": (await read_status()).modules})


class ModuleView(OperatorEndpoint):
    kinds = ALL_KINDS
    may_be_public = True
    scopes: ClassVar[dict[str, str | None]] = {"GET": None}

    @extend_schema(
        operation_id="module",
        parameters=[openapi.MODULE_PARAMETER],
        responses={200: component("NamedModule")},
        extensions=refuses("not_found", "dependency_unavailable"),
    )
    async def get(self, request: HttpRequest, name: str) -> HttpResponse:
        """One of them."""
        found = await read_status()
        state = found.modules.get(name)
        if state is None and found.window["mode"] == windows.DEGRADED:
            # It may be one that was added here; with the database away, only those of every installation are known.
            raise ApiError("dependency_unavailable")
        if state is None:
            raise ApiError("not_found", title="There is no module of this name.")
        return answer({"name": name, **state})


class SettingsView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": None, "POST": None}

    @extend_schema(operation_id="read_settings", responses={200: component("OperatorSettings")})
    async def get(self, request: HttpRequest) -> HttpResponse:
        """The settings that the caller's front end has stored here."""
        content, window = await questions.run_for(self.principal.public_id, _read, self.principal.public_id)
        return answer(_settings(content, window))

    @extend_schema(
        operation_id="write_settings",
        request=body_of("SettingsToKeep"),
        responses={200: component("OperatorSettings"), **BY_POLICY},
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Replace the stored object by this one, or by the body itself if it has no `settings`. Only while a window is
        open."""
        await self.count_change()
        content = await self.read(request, _read_content)
        try:
            window = await writer.commit(operator_settings.write_many, Kept(self.principal.public_id, content))
        except WindowClosed:
            return self.off_by_policy()
        return answer(_settings(content, window))


def _read(principal_id: str) -> tuple[str, windows.Status]:
    return operator_settings.read(principal_id), windows.snapshot()


def _read_content(body: dict[str, Any]) -> str:
    """Raises ApiError."""
    # Existing front ends send the bare object. An empty body is more likely a mistake than a wish to delete all.
    fields = Fields(body if "settings" in body or not body else {"settings": body})
    given = fields.object("settings", required=True)
    content = b"{}"
    try:
        content = exact_json.dumps(given)
    except orjson.JSONEncodeError as error:
        fields.wrong("settings", str(error))
    fields.refuse_wrong()
    if len(content) > operator_settings.LIMIT_BYTES:
        errors = {"settings": [f"at most {operator_settings.LIMIT_BYTES} bytes of JSON"]}
        raise ApiError("payload_too_large", title="The settings are too large.", errors=errors)
    return content.decode()


def _settings(content: str, window: windows.Status) -> dict[str, Any]:
    return {
        "settings": orjson.Fragment(content),
        "read_only": window["mode"] != windows.WINDOW_ACTIVE,
        "policy": window["mode"],
    }
