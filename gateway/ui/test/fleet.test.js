import test from 'node:test';
import assert from 'node:assert/strict';
import { atLeast, byKind, coordinators, late, load, oldest, ownership, rate, total, verdict } from '../app/pages/fleet/sum.js';

const one = { node: 'b', sites: '9007199254740993', suspect_sites: '1', down_sites: '2', queued_checks: '0', open_checks: '5', undelivered_notices: '0', coverage: 1, lateness_p50_millis: 1, lateness_p99_millis: 900, lateness_max_millis: 1000, stretch: 1 };
const other = { ...one, node: 'a', sites: '1', coverage: undefined, lateness_p99_millis: 40, stretch: 1.2 };
const fleet = (peers, alarms = []) => ({ coordinator: one, peers, alarms });

test('coordinators are added up: counts exactly, of times and stretch the worst', () => {
  const all = coordinators(fleet([{ node: 'a', status: other }, { node: 'c', status: undefined, detail: 'away' }]));
  assert.deepEqual(all.map((c) => c.node), ['a', 'b']);
  const t = total(all);
  assert.deepEqual([t.sites, t.suspect, t.down, t.open, t.coverage, t.p99, t.stretch], [9007199254740994n, 2n, 4n, 10n, 1, 900, 1.2]);
  assert.equal(total([{ ...other }]).coverage, undefined);
});

test('coverage is weighed by sites', () => {
  assert.equal(total([{ ...one, sites: '300', coverage: 1 }, { ...one, sites: '100', coverage: 0.6 }]).coverage, 0.9);
});

test('the verdict is about the monitor first, then about who is away, then about single sites', () => {
  const own = { site_id: '0' };
  const site = { site_id: '7' };
  assert.equal(verdict(fleet([], [own, site])).word, 'The monitor needs somebody: 1 alarm.');
  assert.equal(verdict(fleet([{ node: 'c' }], [site])).word, '1 coordinator cannot be asked.');
  assert.equal(verdict(fleet([], [site])).word, 'The monitor is well; 1 site could not be decided.');
  assert.equal(verdict(fleet([])).tone, 'good');
});

test('what nobody knows has no tone', () => {
  assert.deepEqual([late.coverage(undefined), late.coverage(1), late.coverage(0.99), late.coverage(0.5)], ['', 'good', 'fair', 'bad']);
  assert.deepEqual([late.p99(0), late.p99(6000), late.p99(30_000)], ['good', 'fair', 'bad']);
  assert.deepEqual([late.stretch(1), late.stretch(1.2), late.stretch(2)], ['good', 'fair', 'bad']);
});

test('each shard has the number of its owner, and 0 when nobody owns it', () => {
  const { owners, cells } = ownership([{ shard: 0, owner: 'z' }, { shard: 1, owner: 'a' }, { shard: 2, owner: '' }]);
  assert.deepEqual(owners, ['a', 'z']);
  assert.deepEqual(cells.map((c) => c.number), [2, 1, 0]);
});

test('a checker that grants no room has no load', () => {
  assert.equal(load({ open_checks: 0, credit: 0 }), undefined);
  assert.equal(load({ open_checks: 3, credit: 1 }), 0.75);
});

test('failures are counted, the most frequent first', () => {
  assert.deepEqual(byKind([{ failure: 'B' }, { failure: 'A' }, { failure: 'C' }, { failure: 'C' }]), [{ kind: 'C', outages: 2 }, { kind: 'A', outages: 1 }, { kind: 'B', outages: 1 }]);
});

test('of a page that is not all there is, the number is the least', () => {
  const write = (n) => String(n);
  assert.equal(atLeast({ notifications: [1, 2], next_page_token: 'x' }, write), '2+');
  assert.equal(atLeast({ notifications: [], next_page_token: '' }, write), '0');
  assert.equal(oldest([{ create_time: '2026-01-02T00:00:00Z' }, { create_time: '2026-01-01T23:00:00Z' }]), '2026-01-01T23:00:00Z');
  assert.equal(oldest([]), undefined);
});

test('checks a second are of coordinators that are the same process both times', () => {
  const reading = (at, ...all) => ({ at, all: all.map(([instance_id, checks]) => ({ instance_id, checks })) });
  assert.equal(rate(reading(0, ['a', '100'], ['b', '5']), reading(2000, ['a', '300'], ['c', '900'])), 100);
  assert.equal(rate(reading(0, ['a', '100']), reading(2000, ['c', '900'])), undefined);
  assert.equal(rate(undefined, reading(2000, ['a', '1'])), undefined);
  assert.equal(rate(reading(2000, ['a', '1']), reading(2000, ['a', '1'])), undefined);
});
