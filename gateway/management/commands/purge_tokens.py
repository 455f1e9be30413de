"""manage.py purge_tokens: delete audit rows, closed streams and dead tokens beyond their retention."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings

from gateway.jobs import retention
from gateway.jobs.purge import CleaningCommand
from ledger import clock


class Command(CleaningCommand):
    help = (
        "Delete rows that are older than the retention: audit rows, closed streams, tokens that were revoked or "
        "expired. Servers do this by themselves every hour; publishing and tickets go on meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        self.add_age(parser, default_days=settings.AUDIT_RETENTION_DAYS, variable="VX11_AUDIT_RETENTION_DAYS")

    def count(self, options: dict[str, Any]) -> retention.Counts:
        return retention.count(clock.ask() - options["older_than"])

    def clean(self, options: dict[str, Any], after_batch: retention.AfterBatch) -> str:
        before = clock.ask() - options["older_than"]
        if not options["yes"]:
            # Before anything is deleted: one question to the person covers all of it.
            retention.refuse_nearly_all(before)
        retention.purge(before, actor="manage.py purge_tokens", after_batch=after_batch, even_nearly_all=True)
        return ""
