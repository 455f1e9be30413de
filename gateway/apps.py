from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"
    verbose_name = "Access"

    def ready(self) -> None:
        from gateway import checks, signals  # models must be loaded first

        signals.connect()
        checks.register()
