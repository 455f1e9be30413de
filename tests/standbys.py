"""A PostgreSQL with a standby that takes over when it is gone: two private servers under one URL."""

import os
import pwd
import signal

from tests.stores import PrivatePostgres
from tests.waiting import wait_until


class Standby(PrivatePostgres):
    """Copies its primary, and follows it. Reads are answered, writes are not until it is promoted."""

    def __init__(self, primary: PrivatePostgres) -> None:
        super().__init__(durable=True)
        self._primary = primary

    def promote(self) -> None:
        self.ask("SELECT pg_promote()")

    def stop_following(self) -> None:
        """As when the network between the two is cut: what it has not got by now it will never have."""
        self.ask("ALTER SYSTEM SET primary_conninfo = ''")
        self.ask("SELECT pg_reload_conf()")
        wait_until(lambda: not self.ask("SELECT 1 FROM pg_stat_wal_receiver"), "the standby follows nobody")

    def _create_cluster(self) -> None:
        if self._user:
            account = pwd.getpwnam(self._user)
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        primary = ("-h", "127.0.0.1", "-p", str(self._primary.port), "-U", "vx11")
        self._run("pg_basebackup", *primary, "-D", str(self._data), "-R", "-c", "fast", "--no-sync")


class ReplicatedPostgres(PrivatePostgres):
    """The primary, with its `standby`; `synchronous` commits wait until the standby has them on its disk."""

    def __init__(self, *, synchronous: bool) -> None:
        super().__init__(durable=True)
        self.standby = Standby(self)
        self._synchronous = synchronous

    def url(self, database: str = "postgres") -> str:
        """Leads to the one that takes writes."""
        hosts = f"127.0.0.1:{self.port},127.0.0.1:{self.standby.port}"
        return f"postgres://vx11@{hosts}/{database}?target_session_attrs=read-write"

    def start(self) -> None:
        super().start()
        self.standby.start()
        if self._synchronous:
            self.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
            self.ask("SELECT pg_reload_conf()")
        state = "sync" if self._synchronous else "async"
        wait_until(
            lambda: self.ask("SELECT 1 FROM pg_stat_replication WHERE sync_state = %s", state),
            f"the standby follows, {state}",
        )

    def fail_over(self) -> None:
        """The primary dies without a word, and somebody sees to it that the standby takes over."""
        self.process.end(signal.SIGKILL)
        self.standby.promote()

    def stop(self) -> None:
        self.standby.__exit__(None, None, None)
        super().stop()
