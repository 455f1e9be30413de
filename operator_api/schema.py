"""Shapes of answers for the OpenAPI document. Nothing here runs in a request."""

from typing import Any

from rest_framework import serializers


class WindowStatus(serializers.Serializer[Any]):
    mode = serializers.ChoiceField(choices=("solo_madre", "window_active", "degraded"))
    ttl_seconds = serializers.IntegerField(allow_null=True)
    window_id = serializers.UUIDField(allow_null=True)
    services = serializers.ListField(child=serializers.CharField())
    degraded = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True)
    opened_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField(allow_null=True)
    deadline = serializers.DateTimeField(allow_null=True)
    chat_enabled = serializers.BooleanField()
    cursor = serializers.CharField()


class Health(serializers.Serializer[Any]):
    status = serializers.CharField()
    module = serializers.CharField()
    version = serializers.CharField()


class Ready(serializers.Serializer[Any]):
    status = serializers.CharField()
    degraded = serializers.ListField(child=serializers.CharField())
