"""All areas, in the order of the report: those on which others depend come first."""

from vx11_site.doctor import access, configuration, database, log, machine, redis, role
from vx11_site.doctor.findings import Area

AREAS = (
    Area("configuration", configuration.probe, configuration.REPAIR),
    Area("environment", configuration.probe_environment, configuration.REPAIR),
    Area("secrets", configuration.probe_secrets, configuration.REPAIR),
    Area("database", database.probe, database.REPAIR),
    Area("redis", redis.probe, redis.REPAIR),
    Area("tickets", redis.probe_tickets, redis.TICKETS_REPAIR),
    Area("messages", redis.probe_messages, redis.MESSAGES_REPAIR),
    Area("role", role.probe, role.REPAIR),
    Area("tokens", access.probe_tokens, access.REPAIR),
    Area("clock", machine.probe_database_clock, machine.CLOCK_REPAIR),
    Area("clock", machine.probe_redis_clock, machine.CLOCK_REPAIR),
    Area("limits", machine.probe_limits, machine.LIMITS_REPAIR),
    Area("log", log.probe, log.REPAIR),
    Area("index", log.probe_index, log.REPAIR),
    Area("chores", log.probe_chores, log.REPAIR),
)
