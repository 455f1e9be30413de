"""A QUESTION AND ITS ANSWER: messages, who answers them in time or late, and the assistant's own client.

`exchange` stores, `conversations` sees to answers, `assistant` asks, `responder` answers in the assistant's place.
See ADR 8 and docs/api.md.
"""
