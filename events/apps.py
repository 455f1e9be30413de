from django.apps import AppConfig


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = "Events"

    def ready(self) -> None:
        from events import query
        from gateway.filters import queries

        queries.understood_by(query.check)
