"""The search library tantivy on the same events: `python -m benchmarks.peers.tantivy_search LINES FOLDER`.

Reads what is asked as JSON from standard input, and writes the median seconds of each kind to standard output. It runs
in the environment of the benchmarks' peers. Kinds that its language has not (numbers at paths) are left out.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median

import tantivy  # type: ignore[import-not-found]  # is in .venv-bench alone

HEAP_BYTES = 500_000_000
FIELDS = ("module", "severity", "event_type")
# What our kinds are in its language.
LEFT_OUT = frozenset({"payload number", "nothing found", "last 15 minutes", "24 hours ago"})


def schema() -> "tantivy.Schema":
    builder = tantivy.SchemaBuilder()
    builder.add_unsigned_field("seq", stored=True, indexed=True, fast=True)
    for name in FIELDS:
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("body", stored=True)
    return builder.build()


def build(lines: Path, folder: Path) -> "tantivy.Index":
    index = tantivy.Index(schema(), path=str(folder))
    writer = index.writer(HEAP_BYTES, 2)
    with lines.open() as events:
        for line in events:
            event = json.loads(line)
            document = tantivy.Document(body=line)
            document.add_unsigned("seq", event["seq"])
            for name in FIELDS:
                document.add_text(name, event[name])
            writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    return index


def translated(text: str) -> str:
    """The kinds that both languages have differ in this alone."""
    return text.replace("severity>=error", "(severity:error OR severity:critical)")


def main() -> None:
    lines, folder = Path(sys.argv[1]), Path(sys.argv[2]) / "tantivy"
    folder.mkdir()
    asked = json.load(sys.stdin)
    index = build(lines, folder)
    searcher = index.searcher()
    found: dict[str, float] = {}
    for kind, parameters in asked["kinds"].items():
        if kind in LEFT_OUT:
            continue
        if kind == "prefix":
            query = tantivy.Query.regex_query(index.schema, "body", parameters["q"].replace("*", ".*"))
        else:
            query = index.parse_query(translated(parameters["q"]), ["body"], conjunction_by_default=True)
        seconds = []
        for _ in range(asked["repeats"]):
            began = time.perf_counter()
            hits = searcher.search(query, asked["newest"], order_by_field="seq").hits
            _texts = [searcher.doc(address)["body"][0] for _, address in hits]
            seconds.append(time.perf_counter() - began)
        found[kind] = median(seconds)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
