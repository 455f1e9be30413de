"""Why Redis or its sentinels refused a connection, and what to do about it."""

from concurrent.futures import ThreadPoolExecutor

import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, AuthenticationWrongNumberOfArgsError, NoPermissionError, RedisError
from redis.retry import Retry

from vx11_site.config.redis import RedisAccess
from vx11_site.doctor.findings import Finding, describe_error, fail

# Parts of errors of OpenSSL, and of Python when it cannot read one of the files.
TLS_ERRORS = ("certificate", "ssl", "no such file", "permission denied")
TLS_REPAIR = (
    "Correct ssl_ca_certs, ssl_certfile and ssl_keyfile in VX11_REDIS_URL: files that the server's user can read. The "
    "host must be in its certificate; with sentinels, their own addresses and those that they name."
)
CLEAR_REPAIR = "If it speaks TLS only, VX11_REDIS_URL must begin with rediss://; else see its own log."
ACL_REPAIR = "Its ACL user may not do all that is needed: docs/scaling.md has the line; ACL LOG says what was denied."
CREDENTIALS_REPAIR = "Correct user and password in VX11_REDIS_URL (or _FILE): redis://user:password@host:6379/0."
SENTINEL_CREDENTIALS_REPAIR = "Correct VX11_REDIS_SENTINEL_USER and VX11_REDIS_SENTINEL_PASSWORD (or _FILE)."
SENTINELS_REPAIR = (
    "Ask them: redis-cli -p 26379 SENTINEL MASTERS. Correct VX11_REDIS_SENTINELS or VX11_REDIS_SENTINEL_SERVICE; "
    "during a failover, wait."
)


def known_repair(error: Exception, *, over_tls: bool, credentials: str = CREDENTIALS_REPAIR) -> str:
    """The repair for an error of Redis, if one is known; "" otherwise, as when it is away."""
    text = str(error).lower()
    if isinstance(error, NoPermissionError):
        return ACL_REPAIR
    wanted = isinstance(error, AuthenticationError | AuthenticationWrongNumberOfArgsError) or "noauth" in text
    if wanted or "authentication required" in text:
        return credentials
    if over_tls and any(part in text for part in TLS_ERRORS):
        return TLS_REPAIR
    hung_up = "connection closed by server" in text or "connection reset" in text
    return CLEAR_REPAIR if hung_up and not over_tls else ""


def of_sentinels(access: RedisAccess) -> Finding:
    """What each of them answers: the error that no primary was found does not contain that."""
    # In parallel, because each of them may be slow.
    with ThreadPoolExecutor(len(access.sentinels)) as pool:
        answers = list(pool.map(lambda place: _ask_sentinel(access, *place), access.sentinels))
    all_answers = "; ".join(
        f"{host}:{port}: {text}" for (host, port), (text, _) in zip(access.sentinels, answers, strict=True)
    )
    repair = next((repair for _, repair in answers if repair), SENTINELS_REPAIR)
    return fail(f"no sentinel names a primary that is up. {all_answers}", repair)


def _ask_sentinel(access: RedisAccess, host: str, port: int) -> tuple[str, str]:
    """The answer of this sentinel, and the repair if one is known."""
    try:
        once = Retry(NoBackoff(), 0)
        with redis.Redis(host=host, port=port, retry=once, **access.sentinel_connection()) as sentinel:
            masters = sentinel.sentinel_masters()
    except (RedisError, OSError) as error:
        repair = known_repair(error, over_tls=access.over_tls, credentials=SENTINEL_CREDENTIALS_REPAIR)
        return describe_error(error), repair
    if access.service in masters:
        return f"{access.service} is down", ""
    return f"knows no {access.service}, but {', '.join(sorted(masters)) or 'nothing'}", ""
