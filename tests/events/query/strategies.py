"""Queries and events of all kinds, for properties."""

import json

from hypothesis import strategies as st

WORDS = st.sampled_from(["refused", "Über", "a", "ab", "日本", "10", "1e1", "x-y", "👍", "null"])
NAMES = st.sampled_from(["gateway", "gate", "spawner", "http.access"])
SCALARS = WORDS | st.integers(-2, 12) | st.sampled_from([0.5, 10.0, -0.0, 2**53 + 1, True, None])
PAYLOADS = st.dictionaries(
    st.sampled_from(["a", "b", "odd key", "Ö"]),
    st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("a"), inner), max_leaves=6
    ),
    max_size=4,
)
VALUES = st.builds(
    lambda text, star: json.dumps(text, ensure_ascii=False) + star, WORDS | NAMES, st.sampled_from(["", "*"])
)
NUMBERS = st.sampled_from(["10", "1e1", "10.0", "0", "-0.0", "-1", "0.5", "9007199254740993"])
PATHS = st.sampled_from(["a", "b.a", "a.a", '"odd key"', '"Ö"'])
TERMS = st.one_of(
    st.builds("{}{}".format, WORDS, st.sampled_from(["", "*"])),
    st.builds(lambda one, other: f'"{one} {other}"', WORDS, WORDS),
    st.builds("{}:{}".format, st.sampled_from(["module", "type", "id", "correlation"]), VALUES),
    st.builds("severity{}{}".format, st.sampled_from([":", ">=", "<"]), st.sampled_from(["info", "warn", "error"])),
    st.builds("payload.{}{}{}".format, PATHS, st.sampled_from([":", ">=", "<"]), NUMBERS),
    st.builds("payload.{}:{}".format, PATHS, VALUES | st.just("*")),
)
QUERIES = st.recursive(
    TERMS,
    lambda inner: (
        st.builds("-({})".format, inner)
        | st.builds("({} {})".format, inner, inner)
        | st.builds("({} OR {})".format, inner, inner)
    ),
    max_leaves=6,
)
FIELDS = st.fixed_dictionaries(
    {"module": NAMES, "event_type": NAMES, "severity": st.sampled_from(["info", "warn", "error"]), "summary": WORDS}
)
