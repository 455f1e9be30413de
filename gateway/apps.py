from django.apps import AppConfig


class GatewayConfig(AppConfig):
    name = "gateway"
    verbose_name = "Access"

    def ready(self) -> None:
        from gateway import signals
        from gateway.checks import startup  # models must be loaded first

        signals.connect()
        startup.register()
