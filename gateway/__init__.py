"""Who calls, and may they? Tokens, tickets, principals, the shape of requests, answers and refusals."""
