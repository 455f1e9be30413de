from django.urls import path

from events.http.views import EventsView, StatsView

urlpatterns = [
    path("events", EventsView.as_view()),
    path("events/stats", StatsView.as_view()),
]
