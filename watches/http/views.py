"""watches, watches/<id>, watches/<id>/mute, watches/preview, watches/fired, watches/targets."""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from events.http.polling import read_flag, read_number, single
from events.log import timestamp
from events.search import Budget
from gateway.http import headers
from gateway.http.errors import ApiError
from gateway.http.json_bodies import read_json
from gateway.http.openapi import body_of, component, refuses
from gateway.http.rest import Endpoint, answer
from gateway.identity.principals import Snapshot, directory
from gateway.shared_store.limits import limiter
from ledger.reader import questions, searches
from ledger.units import WriteMany
from ledger.writer import writer
from operator_api.http.fields import Fields
from watches import definitions, rights, store
from watches.conditions.rules import Rule
from watches.evaluation.firings import moment
from watches.evaluation.rehearsal import rehearse
from watches.http import firings, openapi, shown
from watches.models import Target, Watch
from watches.store import (
    Creation,
    Deletion,
    Muting,
    NoSuchWatch,
    NotTheOwner,
    Revision,
    TooManyWatches,
    UnknownTargets,
    WatchActor,
)

Made = TypeVar("Made")
_READ, _WRITE = rights.READ, rights.WRITE


class WatchEndpoint(Endpoint):
    """What these addresses have in common: who changes, what the caller may see, and the refusals of the store."""

    scopes: ClassVar[dict[str, str | None]] = {"GET": _READ, "POST": _WRITE, "PATCH": _WRITE, "DELETE": _WRITE}

    @property
    def actor(self) -> WatchActor:
        principal = self.principal
        return WatchActor(
            principal.public_id,
            principal.name or principal.public_id,
            self.caller.address,
            self.caller.correlation_id,
            is_administrator=shown.is_administrator(principal),
        )

    async def snapshot(self) -> Snapshot:
        return await directory.current()

    async def read(self, request: HttpRequest, make: Callable[[dict[str, Any]], Made]) -> Made:
        """The result of `make` for the body, after the rate of changes was charged. Raises ApiError."""
        await limiter.spend("changes", self.principal.public_id)
        return await read_json(request, make, who=self.principal.public_id)

    async def found(self, watch_id: str) -> Watch:
        """Raises ApiError."""
        watch = await questions.run_for(
            self.principal.public_id, shown.find, watch_id, self.principal, await self.snapshot()
        )
        if watch is None:
            raise ApiError(
                "not_found", title="There is no such watch, or the token does not carry the right to see it."
            )
        return watch

    async def changed(self, change: WriteMany, unit: Any) -> Any:
        """Raises ApiError for what the store refuses."""
        try:
            return await writer.commit(change, unit, rows=10)
        except NoSuchWatch:
            raise ApiError("not_found", title="There is no such watch.") from None
        except NotTheOwner:
            raise ApiError("insufficient_scope", title="Only its owner and administrators may change it.") from None
        except TooManyWatches as full:
            raise ApiError("validation_error", errors={"name": [str(full)]}) from None
        except UnknownTargets as unknown:
            raise ApiError("validation_error", errors={"notify": [f"no such target: {unknown}"]}) from None

    async def answered(self, watch: Watch, status: int = 200) -> HttpResponse:
        whole = await questions.run_for(self.principal.public_id, shown.shown, watch, self.principal)
        return answer(whole, status)


class WatchesView(WatchEndpoint):
    @extend_schema(operation_id="watches", responses={200: component("Watches")})
    async def get(self, request: HttpRequest) -> HttpResponse:
        """Own watches, and those that others share."""
        return answer({"watches": await questions.run_for(self.principal.public_id, self._all, await self.snapshot())})

    @extend_schema(operation_id="make_watch", request=body_of("WatchDefinition"), responses={201: component("Watch")})
    async def post(self, request: HttpRequest) -> HttpResponse:
        """Make a watch. It counts events from now on."""
        definition = await self.read(request, definitions.read)
        watch = await self.changed(store.create_many, Creation(definition, self.actor))
        return await self.answered(watch, 201)

    def _all(self, snapshot: Snapshot) -> list[dict[str, Any]]:
        return [shown.shown(watch, self.principal) for watch in shown.visible(self.principal, snapshot)]


class WatchView(WatchEndpoint):
    @extend_schema(
        operation_id="watch",
        parameters=openapi.ID_PARAMETERS,
        responses={200: component("Watch")},
        extensions=refuses("not_found"),
    )
    async def get(self, request: HttpRequest, watch_id: str) -> HttpResponse:
        """One watch."""
        return await self.answered(await self.found(watch_id))

    @extend_schema(
        operation_id="change_watch",
        parameters=openapi.ID_PARAMETERS,
        request=body_of("WatchChange"),
        responses={200: component("Watch")},
        extensions=refuses("not_found"),
    )
    async def patch(self, request: HttpRequest, watch_id: str) -> HttpResponse:
        """Change some fields. One that waits for something else begins anew, and so does one that has stopped."""
        watch = await self.found(watch_id)
        # Checked where it is written: by then another request may have changed the other fields.
        fields = await self.read(request, dict)
        return await self.answered(await self.changed(store.revise_many, Revision(watch.pk, fields, self.actor)))

    @extend_schema(
        operation_id="delete_watch",
        parameters=openapi.ID_PARAMETERS,
        responses={204: None},
        extensions=refuses("not_found"),
    )
    async def delete(self, request: HttpRequest, watch_id: str) -> HttpResponse:
        """Delete it with what it has fired; its events stay in the log."""
        await limiter.spend("changes", self.principal.public_id)
        watch = await self.found(watch_id)
        await self.changed(store.delete_many, Deletion(watch.pk, self.actor))
        return HttpResponse(status=204)


class MuteView(WatchEndpoint):
    @extend_schema(
        operation_id="mute_watch",
        parameters=openapi.ID_PARAMETERS,
        request=body_of("WatchMute"),
        responses={200: component("Watch")},
        extensions=refuses("not_found"),
    )
    async def post(self, request: HttpRequest, watch_id: str) -> HttpResponse:
        """Send no notices until then; without `muted_until`, send them again. It fires all the same."""
        watch = await self.found(watch_id)
        until = await self.read(request, _read_mute)
        return await self.answered(await self.changed(store.mute_many, Muting(watch.pk, until, self.actor)))


class PreviewView(WatchEndpoint):
    # Who may make a watch may try one; it costs what a search costs.
    @extend_schema(
        operation_id="preview_watch", request=body_of("WatchDefinition"), responses={200: component("WatchPreview")}
    )
    async def post(self, request: HttpRequest) -> HttpResponse:
        """How often this watch would have fired in the last seven days, and when."""
        definition = await read_json(request, definitions.read, who=self.principal.public_id)
        rule = Rule(definition.condition, definition.group_by, float(definition.cooldown_seconds))
        selection = rights.asked_by(self.principal, definition.query)
        budget = Budget.of_search(searches.waiting, searches.threads)
        found = await searches.run_for(self.principal.public_id, rehearse, rule, selection, budget)
        return answer(
            {
                "would_fire": found.would_fire,
                "at": [timestamp(moment(at)) for at in found.at],
                "events": found.events,
                "searched_from": timestamp(moment(found.since)),
                "complete": found.complete,
            }
        )


class FiredView(WatchEndpoint):
    @extend_schema(
        operation_id="fired_watches",
        parameters=openapi.FIRED_PARAMETERS,
        responses={200: component("Firings")},
        extensions=refuses("not_found"),
    )
    async def get(self, request: HttpRequest) -> HttpResponse:
        """What fired, newest first, page by page: of one watch, or of all that the caller may see."""
        query = headers.query_of(request.META["QUERY_STRING"].encode())
        limit = read_number(query, "limit", firings.FIRINGS_DEFAULT, minimum=1, maximum=firings.FIRINGS_MAX)
        before = firings.Place.parse(place) if (place := single(query, "before")) else None
        watch_id, snapshot = single(query, "watch"), await self.snapshot()
        concerns_me = read_flag(query, "mine")
        watches = [await self.found(watch_id)] if watch_id else None

        def read() -> dict[str, Any]:
            seen = shown.visible(self.principal, snapshot) if watches is None else watches
            wanted = firings.concerning(seen, self.principal) if concerns_me else seen
            return firings.fired(wanted, self.principal, limit=limit, before=before)

        return answer(await questions.run_for(self.principal.public_id, read))


class TargetsView(WatchEndpoint):
    scopes: ClassVar[dict[str, str | None]] = {"GET": _WRITE}

    @extend_schema(operation_id="watch_targets", responses={200: component("WatchTargets")})
    async def get(self, request: HttpRequest) -> HttpResponse:
        """The names of targets that a watch may notify. Administrators set them."""
        return answer({"targets": await questions.run_for(self.principal.public_id, _targets)})


def _targets() -> list[dict[str, Any]]:
    return [{"name": target.name, "failing": target.failing_since is not None} for target in Target.objects.all()]


def _read_mute(body: dict[str, Any]) -> Any:
    fields = Fields(body)
    fields.refuse_unknown(("muted_until",))
    until = definitions.read_mute(fields)
    fields.refuse_wrong()
    return until
