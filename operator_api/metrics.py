"""Counters of the chat, and of the assistant that answers it."""

from prometheus_client import Counter, Gauge, Histogram

# answered, local, late, away, repeated: what was said to a message that was taken; refused: no window was open.
MESSAGES = Counter("vx11_chat_messages_total", "Chat messages, by what became of them at once.", ["outcome"])
LATE_ANSWERS = Counter(
    "vx11_chat_late_answers_total", "What became of answers that nobody waited for any more.", ["outcome"]
)
UNANSWERED = Counter("vx11_chat_unanswered_total", "Messages that this process has told people get no answer.")
AWAITED = Gauge("vx11_chat_answers_awaited", "Questions to the assistant under way.")
UPSTREAM_SECONDS = Histogram(
    "vx11_chat_upstream_seconds",
    "From the question to the assistant's answer, or to its failure.",
    ["outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60),
)
NOT_ASKED = Counter("vx11_chat_not_asked_total", "Questions that the assistant was not asked, by why.", ["reason"])
BREAKER_OPEN = Gauge("vx11_chat_breaker_open", "1 while the assistant is left alone, because it failed too often.")
