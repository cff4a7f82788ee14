import test from 'node:test';
import assert from 'node:assert/strict';
import { column, day, sentence, since } from '../app/pages/site/days.js';
import { changes, choices, fields, names } from '../app/pages/site/form.js';
import { blank, body, covers, current } from '../app/pages/site/plan.js';
import { counts, periods, responses, rows, spans, turn } from '../app/pages/site/times.js';
import { asked, touches } from '../app/pages/sites/filter.js';
import { all, latest } from '../app/lib/history.js';

const none = { none: '0', unknown: '0', good: '0', failed: '0', blocked: '0', maintenance: '0', paused: '0' };
const point = (more) => ({ start_time: '2026-11-03T00:00:00Z', end_time: '2026-11-04T00:00:00Z', turns: none, down_time: '0s', outages: 0, ...more });

test('a day on which nobody looked is not drawn as up', () => {
  const d = day(point({ uptime: 1 }));
  assert.deepEqual([d.kind, d.tone, d.text], ['none', 'quiet', '2026-11-03: nobody looked']);
  assert.deepEqual(column(d), { down: 0, up: 0 });
  assert.equal(day(point({ turns: { ...none, paused: '288' } })).kind, 'paused');
});

test('of a day that was seen in part, only that part is drawn as up', () => {
  const d = day(point({ coverage: 0.25, uptime: 1 }));
  assert.deepEqual([d.kind, d.text], ['part', '2026-11-03: up, seen in part; looked at 25.00 % of the time']);
  assert.deepEqual(column(d), { down: 0, up: 0.25 });
  assert.deepEqual(column(day(point({ coverage: 1 }))), { down: 0, up: 1 });
});

test('a short outage can be seen, a day of it fills the column, and what is seen never exceeds it', () => {
  const short = day(point({ coverage: 1, down_time: '61s', outages: 1 }));
  assert.deepEqual([short.kind, short.text], ['down', '2026-11-03: down for 1 min 1 s in 1 outage; looked at 100 % of the time']);
  assert.deepEqual(column(short), { down: 0.2, up: 0.8 });
  assert.deepEqual(column(day(point({ coverage: 1, down_time: '86400s', outages: 1 }))), { down: 1, up: 0 });
  assert.deepEqual(column(day(point({ coverage: 1, down_time: '60s', outages: 1, uptime: 0.25 }))), { down: 0.75, up: 0.25 });
  assert.equal(day(point({ down_time: '60s', outages: 2 })).text, '2026-11-03: down for 1 min in 2 outages; no check is known');
});

test('the days are summed up in a sentence that says on what it rests', () => {
  assert.equal(sentence({ uptime: 0.9999, coverage: 0.5, outages: 1, longest_outage: '90s' }), 'Up 99.99 % of the time that counts; checked 50.00 % of the time; 1 outage, the longest 1 min 30 s.');
  assert.equal(sentence({ uptime: 1, outages: 0 }), 'Up 100 % of the time that counts; no check of them is known; no outage.');
  assert.equal(sentence({ outages: 0 }), 'Nothing is known of these days.');
  assert.equal(since(90, Date.parse('2026-11-30T23:59:59Z')), '2026-09-02T00:00:00.000Z');
});

test('charts have gaps where no check was good', () => {
  const at = '2026-11-03T00:01:00Z';
  assert.deepEqual(responses([{ start_time: at, response_time: '0.250s' }, { start_time: at }], periods.day), [[1793664060, 1793664060], [250, null]]);
  assert.deepEqual(responses([{ start_time: at, response_times: { p50: '0.1s', p95: '1s' } }, { start_time: at }], periods.week), [[1793664060, 1793664060], [100, null], [1000, null]]);
});

test('outages are shaded within the period, open ones to now', () => {
  const start = Date.parse('2026-11-03T00:00:00Z');
  const now = start + 3_600_000;
  const o = (id, from, to) => ({ outage_id: id, start_time: from, end_time: to });
  assert.deepEqual(spans([o('1', '2026-11-02T23:00:00Z', '2026-11-03T00:10:00Z'), o('2', '2026-11-02T00:00:00Z', '2026-11-02T01:00:00Z'), o('3', '2026-11-03T00:30:00Z')], start, now).map((m) => [m.label, m.from - start / 1000, m.to - start / 1000]),
    [['Outage 1', 0, 600], ['Outage 3', 1800, 3600]]);
});

test('checks are sorted by region and checker, and counted in words', () => {
  const t = (region, checker, code) => ({ region, checker, code: `TURN_CODE_${code}` });
  const found = rows([t('', '', 'NONE'), t('europe', 'b', 'GOOD'), t('asia', 'c', 'FAILED'), t('europe', 'b', 'GOOD'), t('europe', 'a', 'BLOCKED'), t('europe', '', 'GOOD')]);
  assert.deepEqual(found.map((r) => [r.name, counts(r.turns)]), [['asia, c', '1 failed'], ['europe', '1 good'], ['europe, a', '1 turned away'], ['europe, b', '2 good'], ['', '1 no check']]);
  assert.equal(turn('TURN_CODE_NEW').word, 'TURN_CODE_NEW');
});

const site = {
  url: 'https://example.com/', blog_id: '0', check_interval: '300s', tags: ['a', 'b'], public_badges: false,
  settings: { method: 'METHOD_UNSPECIFIED', redirect_policy: 'REDIRECT_POLICY_UNSPECIFIED', page_check: 'PAGE_CHECK_UNSPECIFIED', tls_errors: 'TLS_ERRORS_UNSPECIFIED', required_texts: ['x'], forbidden_texts: [], headers: [{ name: 'X-A', value: 'b: c' }] },
};

test('only what was changed is sent', () => {
  const before = fields(site);
  assert.equal(changes(before, { ...before }), null);
  assert.deepEqual(before.check_interval, '5');
  assert.equal(before['settings.headers'], 'X-A: b: c');
  assert.deepEqual(changes(before, { ...before, check_interval: '1.5', tags: ' c,d  e', 'settings.headers': 'X-A: b: c\nbare', 'settings.slow_after': '0.5' }), {
    check_interval: '90s', tags: ['c', 'd', 'e'], settings: { headers: [{ name: 'X-A', value: 'b: c' }, { name: 'bare', value: '' }], slow_after: '0.5s' },
  });
});

test('what is emptied is cleared, and what is no number the API may refuse', () => {
  const before = fields({ ...site, blog_id: '7', settings: { ...site.settings, slow_after: '2s' } });
  assert.deepEqual(changes(before, { ...before, check_interval: '', tags: '', blog_id: '', public_badges: true, 'settings.slow_after': '', 'settings.required_texts': '\n' }), {
    check_interval: null, tags: [], blog_id: '0', public_badges: true, settings: { slow_after: null, required_texts: [] },
  });
  assert.deepEqual(changes(before, { ...before, check_interval: 'soon' }), { check_interval: 'soon' });
});

test('each choice is of a field of the form', () => {
  for (const name of Object.keys(choices)) assert.ok(names.includes(name), name);
});

test('a maintenance is planned in the local zone', () => {
  const form = { ...blank(Date.parse('2026-11-03T00:00:30Z')), name: ' Move ', minutes: '90' };
  const made = body('7', form, 'Europe/Berlin');
  assert.deepEqual([made.site_id, made.name, made.start_time, made.duration, made.time_zone], ['7', 'Move', '2026-11-03T00:01:00.000Z', '5400s', 'Europe/Berlin']);
  assert.deepEqual([body('7', { ...form, start: '', minutes: 'x' }, 'UTC')].map((b) => [b.start_time, b.duration]), [[null, null]]);
});

test('maintenances are listed open first, then those to come, and say what they cover', () => {
  const m = (id, more) => ({ maintenance_id: id, site_id: '1', tag: '', host: '', ...more });
  const list = [m('1', {}), m('2', { window: { start_time: '2' } }), m('3', { active: true, window: { start_time: '0' } }), m('4', { window: { start_time: '1' } })];
  assert.deepEqual(current(list).map((x) => x.maintenance_id), ['3', '4', '2', '1']);
  assert.deepEqual([m('1', {}), m('1', { tag: 't' }), m('1', { host: 'h' })].map(covers), ['this site', 'all with the tag t', 'all on h']);
});

test('the list of sites asks for a host or a URL', () => {
  assert.deepEqual(asked({ find: ' example.com ', blog: '7' }), { url: '', host: 'example.com', blog_id: '7', tag: '', state: '', order_by: '' });
  assert.equal(asked({ find: 'https://example.com/' }).url, 'https://example.com/');
  assert.ok(touches([], []) && touches([{ site: { site_id: '2' } }], [{ site_id: '2' }]) && !touches([{ site: { site_id: '3' } }, {}], [{ site_id: '2' }]));
});

test('a history is read to its end, or as far as it may be', async () => {
  const asks = [];
  const read = async (path, { params }) => { asks.push(params.page_token); return { points: [asks.length], next_page_token: asks.length < 3 ? `t${asks.length}` : '' }; };
  assert.deepEqual((await all('/x', { name: 'points', read })).items, [1, 2, 3]);
  assert.deepEqual(asks, ['', 't1', 't2']);
  asks.length = 0;
  assert.equal((await all('/x', { name: 'points', pages: 2, read })).whole, false);
});

test('of a history that is longer than its pages the newest part is read, not the oldest', async () => {
  const now = Date.parse('2026-11-30T06:00:00Z');
  let asks = 0;
  const read = async (path, { params }) => { // a check a minute, 100 a page
    asks++;
    const from = Math.max(Date.parse(params.start_time), Number(params.page_token));
    const points = [];
    for (let at = from; at < now && points.length < 100; at += 60_000) points.push({ start_time: new Date(at).toISOString() });
    const next = from + 100 * 60_000;
    return { points, next_page_token: next < now ? String(next) : '' };
  };
  const six = await latest('/x', { ms: 6 * 3_600_000, now, name: 'points', pages: 1, read });
  assert.deepEqual([six.ms, six.items.length, six.items.at(-1).start_time, asks], [90 * 60_000, 90, '2026-11-30T05:59:00.000Z', 3]);
  const one = await latest('/x', { ms: 3_600_000, now, name: 'points', pages: 1, read });
  assert.deepEqual([one.ms, one.items.length, one.whole], [3_600_000, 60, true]);
});
