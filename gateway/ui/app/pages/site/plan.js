// What the form of a maintenance makes of its fields.

/** repeats lists [RRULE, words]: how often a maintenance comes. */
export const repeats = [['', 'once'], ['FREQ=DAILY', 'every day'], ['FREQ=WEEKLY', 'every week'], ['FREQ=MONTHLY', 'every month']];

/** blank is an empty form, that begins with the next full minute. */
export function blank(now) {
  const start = new Date(Math.ceil(now / 60_000) * 60_000);
  const two = (n) => String(n).padStart(2, '0');
  return {
    name: '', reason: '', minutes: '60', recurrence: '',
    start: `${start.getFullYear()}-${two(start.getMonth() + 1)}-${two(start.getDate())}T${two(start.getHours())}:${two(start.getMinutes())}`,
  };
}

/** body makes the body of POST /v1/maintenances; zone is the local zone. What is no time or number, the API refuses. */
export function body(site, form, zone) {
  const start = new Date(form.start);
  const minutes = Number(form.minutes);
  return {
    site_id: site, name: form.name.trim(), reason: form.reason.trim(),
    start_time: Number.isNaN(start.getTime()) ? null : start.toISOString(),
    duration: form.minutes.trim() === '' || Number.isNaN(minutes) ? null : `${Math.round(minutes * 60)}s`,
    recurrence: form.recurrence, time_zone: zone,
  };
}

/** freshKey returns a new Idempotency-Key; crypto.randomUUID is not there without TLS. */
export function freshKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

/** covers says why a maintenance covers the site. */
export function covers(m) {
  if (m.tag) return `all with the tag ${m.tag}`;
  return m.host ? `all on ${m.host}` : 'this site';
}

/** current puts the open ones first, then those to come, then those that are over. */
export function current(list) {
  const rank = (m) => (m.active ? 0 : m.window ? 1 : 2);
  return [...list].sort((a, b) => rank(a) - rank(b) || (a.window?.start_time ?? '').localeCompare(b.window?.start_time ?? ''));
}
