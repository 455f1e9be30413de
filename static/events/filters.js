/** Filters as the server knows them: as the query of a request, and as a question about one event. */

const FIELDS = ["severity", "module", "event_type", "correlation_id"];
/** The server reads one as the other. */
const SEVERITY_ALIASES = { warning: "warn" };

/** Pairs for a query. */
export function queryOf(filters) {
  return Object.entries(filters).flatMap(([name, values]) => [values ?? []].flat().map((value) => [name, value]));
}

/** A function that says whether an event passes. As on the server: a value may be a comma list, none lets all pass. */
export function questionOf(filters) {
  const wanted = FIELDS.map((field) => [field, valuesOf(field, filters[field] ?? [])]).filter(([, set]) => set.size);
  return (event) => wanted.every(([field, set]) => set.has(event[field]));
}

function valuesOf(field, given) {
  const values = [given].flat().flatMap((value) => value.split(",").map((item) => item.trim()));
  const read = (value) => SEVERITY_ALIASES[value.toLowerCase()] ?? value.toLowerCase();
  return new Set(values.filter(Boolean).map((value) => (field === "severity" ? read(value) : value)));
}
