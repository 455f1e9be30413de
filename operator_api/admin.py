"""Admin pages of what operators may do: windows, to look at."""

from django.contrib import admin

from gateway.admin import ReadOnlyAdmin
from operator_api.models import Window


@admin.register(Window)
class WindowAdmin(ReadOnlyAdmin):
    list_display = ("id", "created_at", "deadline", "closed_at", "opened_by", "reason")
