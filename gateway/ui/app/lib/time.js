// Times and spans as people read them: local, with their zone; UTC is for the hover.
const day = 86_400_000;
const full = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });
const clock = new Intl.DateTimeFormat('en-GB', { timeStyle: 'medium' });
const zoned = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' });

/** zone returns the name of the local zone at a time: "CET". */
export const zone = (at = new Date()) => zoned.formatToParts(at).find((p) => p.type === 'timeZoneName')?.value ?? '';

/** local writes a time in the local zone: the clock alone when it is of the same day as now. */
export function local(at, now = Date.now()) {
  const t = new Date(at);
  const today = t.toDateString() === new Date(now).toDateString();
  return `${(today ? clock : full).format(t)} ${zone(t)}`;
}

/** utc writes a time in UTC, to the second. */
export const utc = (at) => `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

/** span writes milliseconds in their two largest units: "1 d 3 h", "4 min 5 s", "12 s". */
export function span(ms) {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const s = Math.floor(ms / 1000);
  const parts = [[Math.floor(s / 86_400), 'd'], [Math.floor(s / 3600) % 24, 'h'], [Math.floor(s / 60) % 60, 'min'], [s % 60, 's']];
  const first = parts.findIndex(([n]) => n > 0);
  return parts.slice(first, first + 2).filter(([n]) => n > 0).map(([n, unit]) => `${n} ${unit}`).join(' ');
}

/** ago writes how long ago a time was, or how far away it is. */
export function ago(at, now = Date.now()) {
  const ms = now - new Date(at).getTime();
  if (Math.abs(ms) < 1000) return 'now';
  return ms > 0 ? `${short(ms)} ago` : `in ${short(-ms)}`;
}

function short(ms) {
  if (ms >= 2 * day) return `${Math.floor(ms / day)} d`;
  if (ms >= 7_200_000) return `${Math.floor(ms / 3_600_000)} h`;
  if (ms >= 120_000) return `${Math.floor(ms / 60_000)} min`;
  return `${Math.floor(ms / 1000)} s`;
}

/** seconds reads a span of the API, "300s" or "0.250s", in ms. */
export const seconds = (text) => (text ? Number.parseFloat(text) * 1000 : 0);

const inWords = /(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?Z)/;

/** timed splits words of the API into [words, time, words, time, ..., words]. */
export const timed = (text) => (text ?? '').split(inWords).map((part, i) => (i % 2 ? part.replace(' ', 'T') : part));
