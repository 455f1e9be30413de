from django.urls import path

from events.http.counts import FacetsView, StatsView
from events.http.exporting import ExportView
from events.http.one_event import AroundView, EventView
from events.http.views import EventsView

urlpatterns = [
    path("events", EventsView.as_view()),
    path("events/stats", StatsView.as_view()),
    path("events/facets", FacetsView.as_view()),
    path("events/export", ExportView.as_view()),
    # Last, because a publisher may give its events any id: `stats` is none that can be asked for.
    path("events/<str:name>", EventView.as_view()),
    path("events/<str:name>/around", AroundView.as_view()),
]
