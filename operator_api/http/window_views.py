"""window/status, window/open, window/extend, window/close."""

from functools import partial
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from events.stream.relay import the_relay
from gateway.http.errors import ApiError
from gateway.http.openapi import body_of, component, refuses
from gateway.http.rest import answer
from ledger.reader import reader
from ledger.units import WriteMany
from ledger.writer import writer
from operator_api import modules, windows
from operator_api.http.endpoint import ALL_KINDS, OperatorEndpoint
from operator_api.http.fields import Fields
from operator_api.status import read_status, read_without_backend
from operator_api.windows import (
    MODES,
    REASON_LIMIT,
    SERVICES_DEFAULT,
    TTL_DEFAULT_SECONDS,
    TTL_MAX_SECONDS,
    AlreadyOpen,
    Closing,
    Extension,
    NoneOpen,
    Status,
    WindowOpening,
)

_WRITE: dict[str, str | None] = {"POST": "window:write"}


class WindowStatusView(OperatorEndpoint):
    kinds = ALL_KINDS
    may_be_public = True
    scopes: ClassVar[dict[str, str | None]] = {"GET": None}

    @extend_schema(operation_id="window_status", responses={200: component("WindowStatus")})
    async def get(self, request: HttpRequest) -> HttpResponse:
        """May operators act, until when, and is a core module down?"""
        return answer((await read_status()).window_status())

    async def without_backend(self) -> HttpResponse:
        return answer((await read_without_backend()).window_status())


class WindowOpenView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = _WRITE

    @extend_schema(
        operation_id="open_window",
        request=body_of("WindowOpening"),
        responses={200: component("WindowOpened")},
        extensions=refuses("window_already_open"),
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Open the window, for a time or until it is closed. One can be open at a time."""
        await self.count_change()
        opening = await self.read(request, partial(_read_opening, by=self.actor))
        await _refuse_unknown(opening.services)
        try:
            opened = await _change(windows.open_many, opening)
        except AlreadyOpen as there:
            extra = {"window": (await read_status()).window_status(there.window)}
            raise ApiError("window_already_open", extra=extra) from None
        return answer({**await _with_mode_now(opened), "services_started": opening.services})


class WindowExtendView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = _WRITE

    @extend_schema(
        operation_id="extend_window",
        request=body_of("WindowExtension"),
        responses={200: component("WindowExtended")},
        extensions=refuses("no_open_window"),
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Set the window's end to so many seconds from now, whatever was left of it."""
        await self.count_change()
        extension = Extension(await self.read(request, lambda body: _read_ttl(Fields(body))), self.actor)
        try:
            return answer(await _with_mode_now(await _change(windows.extend_many, extension)))
        except NoneOpen:
            raise ApiError("no_open_window") from None


class WindowCloseView(OperatorEndpoint):
    scopes: ClassVar[dict[str, str | None]] = _WRITE

    @extend_schema(
        operation_id="close_window",
        request=body_of("Nothing"),
        responses={200: component("WindowClosed")},
        extensions=refuses("no_open_window"),
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Close the window. A second request finds no window."""
        await self.read(request, lambda body: body)
        try:
            closing = await _change(windows.close_many, Closing(self.actor))
        except NoneOpen:
            raise ApiError("no_open_window") from None
        return answer({**(await read_status()).window_status(closing), "status": "ok"})


def _read_opening(body: dict[str, Any], by: windows.WindowActor) -> WindowOpening:
    fields = Fields(body)
    services = fields.names("services", SERVICES_DEFAULT)
    held = fields.choice("mode", MODES) == "hold"
    reason = fields.text("reason", maximum=REASON_LIMIT)
    ttl_seconds = _read_ttl(fields)
    return WindowOpening(services, None if held else ttl_seconds, reason, by)


def _read_ttl(fields: Fields) -> int:
    """The last field to be read. Raises ApiError for all that are wrong."""
    seconds = fields.number("ttl_sec", minimum=1, maximum=TTL_MAX_SECONDS, default=TTL_DEFAULT_SECONDS)
    fields.refuse_wrong()
    return seconds


async def _refuse_unknown(services: list[str]) -> None:
    if unknown := await reader.run(modules.unknown_names, services):
        raise ApiError("validation_error", errors={"services": [f"unknown module {unknown[0]!r}"[:200]]})


async def _change(function: WriteMany, unit: Any) -> Status:
    # Without a running relay, other processes would get the event only when they next poll the log.
    await the_relay().start()
    status: Status = await writer.commit(function, unit)
    return status


async def _with_mode_now(window: Status) -> dict[str, Any]:
    """The state right after the change, which may have changed again by now: the cursor is that of the change."""
    status = (await read_status()).window_status(window)
    return {**status, "status": "ok", "ttl_remaining_sec": window["ttl_seconds"]}
