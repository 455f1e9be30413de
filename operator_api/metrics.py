"""Counters of the chat, and of the assistant that answers it."""

from prometheus_client import Counter, Gauge, Histogram

# answered, local, late, away, repeated: the response to an accepted message; refused: no window was open.
MESSAGES = Counter("vx11_chat_messages_total", "Chat messages, by the response that they got.", ["outcome"])
LATE_ANSWERS = Counter(
    "vx11_chat_late_answers_total",
    "Answers of the assistant that came after the request had ended, by outcome.",
    ["outcome"],
)
UNANSWERED = Counter("vx11_chat_unanswered_total", "Messages for which this process has stored that no answer came.")
AWAITED = Gauge("vx11_chat_answers_awaited", "Questions to the assistant that are being answered.")
UPSTREAM_SECONDS = Histogram(
    "vx11_chat_upstream_seconds",
    "From the question to the assistant's answer, or to its failure.",
    ["outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60),
)
NOT_ASKED = Counter(
    "vx11_chat_not_asked_total", "Questions that were not sent to the assistant, by reason.", ["reason"]
)
BREAKER_OPEN = Gauge(
    "vx11_chat_breaker_open", "1 while the breaker sends no questions to the assistant, because it failed too often."
)
