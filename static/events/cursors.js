/** Positions in the log, `<epoch>-<seq>`. Other clients take them as they are; this one tells old from new by them. */

/** @returns {{epoch: string | undefined, seq: number}} of null: an epoch that equals no other */
export function split(cursor) {
  const at = cursor === null ? 0 : cursor.lastIndexOf("-");
  return { epoch: cursor?.slice(0, at), seq: Number(cursor?.slice(at + 1)) };
}

/** Whether `cursor` is `other` or a later position of the same log. */
export function reaches(cursor, other) {
  const [here, there] = [split(cursor), split(other)];
  return here.epoch === there.epoch && here.seq >= there.seq;
}

/** The position after an event that was read together with the position `beside`. */
export function cursorOf(event, beside) {
  return `${split(beside).epoch}-${event.seq}`;
}

/** Whether a reader at `cursor` has missed something when another, that was at `after`, was sent on to `newest`. */
export function isMissedBy(cursor, after, newest) {
  if (cursor === null) return false;
  const [here, from, to] = [cursor, after, newest].map(split);
  if (here.epoch !== to.epoch) return true;
  // It was sent on before, and is where the other is going.
  if (from.epoch !== to.epoch) return false;
  // Pruned behind the other, or the other was ahead of the log.
  return to.seq >= from.seq ? here.seq <= from.seq : here.seq > to.seq;
}
