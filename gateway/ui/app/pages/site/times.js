// What the charts of a site are made of.
import { count } from '../../lib/numbers.js';
import { seconds } from '../../lib/time.js';

const hour = 3_600_000;

/** periods are those that the chart offers; a point is a check (RAW) or an hour. */
export const periods = {
  day: { words: 'Day', ms: 24 * hour, resolution: 'HISTORY_RESOLUTION_RAW', every: 60_000 },
  week: { words: 'Week', ms: 7 * 24 * hour, resolution: 'HISTORY_RESOLUTION_HOUR', every: 300_000 },
  month: { words: '30 days', ms: 30 * 24 * hour, resolution: 'HISTORY_RESOLUTION_HOUR', every: 300_000 },
};

/** responses makes [times in s, ms, ...] of points, with null where no check was good: one series of checks, two of hours. */
export function responses(points, period) {
  const at = (p) => new Date(p.start_time).getTime() / 1000;
  const ms = (text) => (text === undefined ? null : seconds(text));
  const of = period.resolution === 'HISTORY_RESOLUTION_RAW' ? [(p) => ms(p.response_time)] : [(p) => ms(p.response_times?.p50), (p) => ms(p.response_times?.p95)];
  return [points.map(at), ...of.map((value) => points.map(value))];
}

/** spans makes the times to shade of outages, from and to in s, those before a time left out. */
export function spans(outages, start, now) {
  const s = (at) => new Date(at).getTime() / 1000;
  return outages.map((o) => ({ from: Math.max(s(o.start_time), start / 1000), to: o.end_time ? s(o.end_time) : now / 1000, label: `Outage ${o.outage_id}` }))
    .filter((m) => m.to >= start / 1000);
}

const codes = {
  GOOD: { word: 'good', shape: 'dot', glyph: '●', tone: 'good' },
  FAILED: { word: 'failed', shape: 'down', glyph: '▼', tone: 'bad' },
  BLOCKED: { word: 'turned away', shape: 'diamond', glyph: '◆', tone: 'bad' },
  MAINTENANCE: { word: 'failed in maintenance', shape: 'square', glyph: '■', tone: 'fair' },
  UNKNOWN: { word: 'could not tell', shape: 'ring', glyph: '○', tone: 'quiet' },
  NONE: { word: 'no check', shape: 'line', glyph: '–', tone: 'quiet' },
  PAUSED: { word: 'paused', shape: 'line', glyph: '‖', tone: 'quiet' },
};

/** turn returns {word, shape, glyph, tone} of TURN_CODE_*. */
export const turn = (code = '') => codes[code.replace('TURN_CODE_', '')] ?? { word: code, shape: 'ring', glyph: '○', tone: 'quiet' };

/** rows sorts the turns of some hours by region and checker: [{name, turns}], those without a check last. */
export function rows(points) {
  const by = new Map();
  for (const p of points) {
    const name = [p.region, p.checker].filter(Boolean).join(', ');
    if (!by.has(name)) by.set(name, []);
    by.get(name).push(p);
  }
  return [...by].map(([name, turns]) => ({ name, turns })).sort((a, b) => (a.name === '') - (b.name === '') || a.name.localeCompare(b.name));
}

/** counts says in words how many turns of a row became what: "58 good, 2 failed". */
export function counts(turns) {
  const n = new Map();
  for (const t of turns) n.set(turn(t.code).word, (n.get(turn(t.code).word) ?? 0) + 1);
  return [...n].sort((a, b) => b[1] - a[1]).map(([word, many]) => `${count(many)} ${word}`).join(', ');
}
