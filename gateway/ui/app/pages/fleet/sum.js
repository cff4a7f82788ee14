// What the coordinators say, together.
import { plural } from '../../lib/numbers.js';

/** coordinators lists the state of each coordinator that answers, by name. */
export function coordinators(fleet) {
  const all = [fleet.coordinator, ...fleet.peers.map((p) => p.status)].filter(Boolean);
  return all.sort((a, b) => a.node.localeCompare(b.node));
}

/**
 * total adds them up. Counts are BigInt. Coverage is weighed by sites; of the times and of the stretch it is
 * the worst that counts.
 */
export function total(all) {
  const sum = (name) => all.reduce((n, c) => n + BigInt(c[name] ?? 0), 0n);
  const most = (name) => all.reduce((n, c) => Math.max(n, Number(c[name] ?? 0)), 0);
  const known = all.filter((c) => typeof c.coverage === 'number');
  const weights = known.map((c) => Math.max(1, Number(c.sites)));
  const weight = weights.reduce((a, b) => a + b, 0);
  return {
    sites: sum('sites'), suspect: sum('suspect_sites'), down: sum('down_sites'), untold: sum('untold_sites'),
    queued: sum('queued_checks'), open: sum('open_checks'), undelivered: sum('undelivered_notices'), uncommitted: sum('uncommitted_changes'),
    coverage: weight ? known.reduce((n, c, i) => n + c.coverage * weights[i], 0) / weight : undefined,
    p50: most('lateness_p50_millis'), p99: most('lateness_p99_millis'), most: most('lateness_max_millis'), stretch: most('stretch'),
  };
}

/**
 * rate returns how many checks a second came in between two readings, {at, all}, of coordinators that answered
 * both times as the same process; undefined before there are two.
 */
export function rate(before, after) {
  if (!before || after.at <= before.at) return undefined;
  const was = new Map(before.all.map((c) => [c.instance_id, Number(c.checks)]));
  const same = after.all.filter((c) => was.has(c.instance_id));
  if (same.length === 0) return undefined;
  return same.reduce((n, c) => n + Math.max(0, Number(c.checks) - was.get(c.instance_id)), 0) / ((after.at - before.at) / 1000);
}

/** late says how good figures are: a tone, "" while nothing is known. */
export const late = {
  coverage: (x) => (x === undefined ? '' : x >= 0.999 ? 'good' : x >= 0.95 ? 'fair' : 'bad'),
  p99: (ms) => (ms < 5000 ? 'good' : ms < 30_000 ? 'fair' : 'bad'),
  stretch: (x) => (x <= 1.005 ? 'good' : x < 1.5 ? 'fair' : 'bad'),
};

/** verdict says in a sentence whether the monitor is well: {word, shape, tone}. */
export function verdict(fleet) {
  const own = fleet.alarms.filter((a) => a.site_id === '0');
  const away = fleet.peers.filter((p) => !p.status).length;
  if (own.length > 0) return { word: `The monitor needs somebody: ${plural(own.length, 'alarm')}.`, shape: '▼', tone: 'bad' };
  if (away > 0) return { word: `${plural(away, 'coordinator')} cannot be asked.`, shape: '◆', tone: 'fair' };
  if (fleet.alarms.length > 0) return { word: `The monitor is well; ${plural(fleet.alarms.length, 'site')} could not be decided.`, shape: '◆', tone: 'fair' };
  return { word: 'The monitor is well.', shape: '●', tone: 'good' };
}

/** ownership lists the shards, each with its owner and the number of that owner, from 1; 0 for none. */
export function ownership(shards) {
  const owners = [...new Set(shards.map((s) => s.owner).filter(Boolean))].sort();
  return { owners, cells: shards.map((s) => ({ ...s, number: owners.indexOf(s.owner) + 1 })) };
}

/** load returns how much of its room a checker uses, 0 to 1; undefined when it grants none. */
export function load({ open_checks: open, credit }) {
  return open + credit > 0 ? open / (open + credit) : undefined;
}

/** byKind counts outages by their failure, the most frequent first: [{kind, outages}]. */
export function byKind(outages) {
  const counts = new Map();
  for (const { failure } of outages) counts.set(failure, (counts.get(failure) ?? 0) + 1);
  return [...counts].map(([kind, n]) => ({ kind, outages: n })).sort((a, b) => b.outages - a.outages || a.kind.localeCompare(b.kind));
}

/** oldest returns the create_time of the oldest notification, or undefined. */
export const oldest = (notifications) => notifications.map((n) => n.create_time).sort((a, b) => Date.parse(a) - Date.parse(b))[0];

/** atLeast writes how many a first page has, with a "+" when there are more. */
export const atLeast = ({ notifications, next_page_token: next }, count) => count(notifications.length) + (next ? '+' : '');
