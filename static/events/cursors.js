/** Positions in the log, `<epoch>-<seq>`. Other clients need not read them; this one compares them: older or newer. */

/**
 * @param {string | null} cursor - null: an epoch that equals no other
 * @returns {{ epoch: string | undefined, seq: number }}
 */
export function split(cursor) {
  const at = cursor === null ? 0 : cursor.lastIndexOf("-");
  return { epoch: cursor?.slice(0, at), seq: Number(cursor?.slice(at + 1)) };
}

/**
 * Whether `cursor` is `other` or a later position of the same log.
 *
 * @param {string | null} cursor
 * @param {string} other
 */
export function reaches(cursor, other) {
  const [here, there] = [split(cursor), split(other)];
  return here.epoch === there.epoch && here.seq >= there.seq;
}

/**
 * The position after an event that was read together with the position `beside`.
 *
 * @param {{ seq: number }} event
 * @param {string} beside
 */
export function cursorOf(event, beside) {
  return `${split(beside).epoch}-${event.seq}`;
}

/**
 * Whether a reader at `cursor` has missed something when another, that was at `after`, was sent on to `newest`.
 *
 * @param {string | null} cursor
 * @param {string | null} after
 * @param {string} newest
 */
export function isMissedBy(cursor, after, newest) {
  if (cursor === null) return false;
  const [here, from, to] = [split(cursor), split(after), split(newest)];
  if (here.epoch !== to.epoch) return true;
  // It was sent on before, and is where the other is going.
  if (from.epoch !== to.epoch) return false;
  // Pruned behind the other, or the other was ahead of the log.
  return to.seq >= from.seq ? here.seq <= from.seq : here.seq > to.seq;
}
