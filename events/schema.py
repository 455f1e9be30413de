"""Shapes of requests and answers for the OpenAPI document. Nothing here runs in a request."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from gateway.filters import SEVERITIES


class EventFields(serializers.Serializer[Any]):
    event_type = serializers.RegexField(r"^[a-z0-9._-]{1,64}$")
    summary = serializers.CharField(max_length=500)
    severity = serializers.ChoiceField(choices=SEVERITIES, required=False)
    module = serializers.CharField(max_length=64, required=False)
    payload = serializers.DictField(required=False)
    correlation_id = serializers.CharField(max_length=64, required=False)
    event_id = serializers.CharField(max_length=64, required=False)
    occurred_at = serializers.DateTimeField(required=False, allow_null=True)


class Publication(EventFields):
    """One event, or up to 500 of them in `events`."""

    events = EventFields(many=True, required=False)


class Place(serializers.Serializer[Any]):
    event_id = serializers.CharField()
    seq = serializers.IntegerField()


class Published(Place):
    """For a batch, `events` in its order instead of `event_id` and `seq`."""

    events = Place(many=True, required=False)
    cursor = serializers.CharField()


class LoggedEvent(EventFields):
    type = serializers.CharField()
    seq = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class EventPage(serializers.Serializer[Any]):
    events = LoggedEvent(many=True)
    total = serializers.IntegerField(help_text="Matching retained events, counted to 10 000.")
    limit = serializers.IntegerField()
    cursor = serializers.CharField()
    first_cursor = serializers.CharField(help_text="What to send as `before` to page backwards.")
    has_more = serializers.BooleanField()


class Bucket(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    info = serializers.IntegerField()
    warn = serializers.IntegerField()
    error = serializers.IntegerField()
    critical = serializers.IntegerField()


class Stats(serializers.Serializer[Any]):
    seconds = serializers.IntegerField()
    bucket = serializers.IntegerField()
    buckets = Bucket(many=True)


FILTER_PARAMETERS = [
    OpenApiParameter("severity", str, many=True, enum=SEVERITIES),
    OpenApiParameter("module", str, many=True),
    OpenApiParameter("event_type", str, many=True),
    OpenApiParameter("correlation_id", str, many=True),
]
POLL_PARAMETERS = [
    *FILTER_PARAMETERS,
    OpenApiParameter("since", str, description="Cursor: events after it."),
    OpenApiParameter("before", str, description="Cursor: events before it, to page backwards."),
    OpenApiParameter("at", str, description="ISO time: the page around it."),
    OpenApiParameter("limit", int, description="1 to 500, default 10."),
    OpenApiParameter("wait", int, description="With since: wait up to 25 s for something."),
]
STATS_PARAMETERS = [
    *FILTER_PARAMETERS,
    OpenApiParameter("seconds", int, description="How far back, default 900."),
    OpenApiParameter("bucket", int, description="Seconds in a bucket, default 5."),
]
