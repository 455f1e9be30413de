"""/health, /ready, /metrics: for load balancers, orchestrators and Prometheus."""

from typing import ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from gateway.http.errors import ApiError
from gateway.http.openapi import component, refuses
from gateway.http.rest import Endpoint, answer
from operator_api import gauges
from operator_api.modules import BACKEND, GATEWAY
from operator_api.status import readiness

# The module that a process of each role is.
MODULE_OF_ROLE = {"all": GATEWAY, "gateway": GATEWAY, "backend": BACKEND}


class HealthView(Endpoint):
    public = True

    @extend_schema(operation_id="health", responses={200: component("Health")})
    async def get(self, request: HttpRequest) -> HttpResponse:
        """The process answers. Touches nothing else."""
        return answer({"status": "ok", "module": MODULE_OF_ROLE[settings.ROLE], "version": settings.VERSION})


class ReadyView(Endpoint):
    public = True

    @extend_schema(
        operation_id="ready", responses={200: component("Ready")}, extensions=refuses("dependency_unavailable")
    )
    async def get(self, request: HttpRequest) -> HttpResponse:
        """Whether this process should get requests; names what is away."""
        ready, report = await readiness()
        if not ready:
            raise ApiError("dependency_unavailable", extra={"unavailable": report["unavailable"]})
        return answer(report)


class MetricsView(Endpoint):
    may_be_public = True
    kinds = frozenset({"principal", "session", "service"})
    scopes: ClassVar[dict[str, str | None]] = {"GET": "metrics:read"}

    @extend_schema(operation_id="metrics", responses={(200, "text/plain"): {"type": "string"}})
    async def get(self, request: HttpRequest) -> HttpResponse:
        """What Prometheus reads."""
        await gauges.refresh()
        return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
