from django.apps import AppConfig


class ReceiversConfig(AppConfig):
    name = "receivers"
    verbose_name = "Receivers"

    def ready(self) -> None:
        from receivers import known_webhooks
        from receivers.http import refusals

        refusals.register()
        known_webhooks.connect()
