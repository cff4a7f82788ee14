// Run by node --test: the logic of the modules that need no browser.
import test from 'node:test';
import assert from 'node:assert/strict';
import { APIError, backoff, query } from '../app/lib/api.js';
import { alone, steps, tick, timeRange } from '../app/lib/axis.js';
import { match } from '../app/lib/router.js';
import { count, decimal, millis, plural, share } from '../app/lib/numbers.js';
import { ago, seconds, span, timed, utc } from '../app/lib/time.js';
import { alarm, failure, failureKinds, plain, siteState } from '../app/lib/words.js';
import { allows, isLimited } from '../app/lib/session.js';
import { find, offered, routes } from '../app/routes.js';
import { others, refusal } from '../app/parts/form.js';
import { store } from '../app/lib/store.js';

test('an error of the API has its words, its fields and whether it passes', () => {
  const e = new APIError(400, {
    code: 3, message: 'url: must begin with http:// or https://',
    details: [
      { '@type': 'type.googleapis.com/google.rpc.BadRequest', field_violations: [{ field: 'url', description: 'must begin with http:// or https://' }] },
      { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'X' },
    ],
  }, new Headers({ 'X-Request-Id': 'abc', 'Retry-After': '7' }));
  assert.deepEqual([e.message, e.fields.url, e.reason, e.requestId, e.retryAfter, e.passes],
    ['url: must begin with http:// or https://', 'must begin with http:// or https://', 'X', 'abc', 7, false]);
  for (const [status, passes] of [[0, true], [429, true], [502, true], [503, true], [500, false], [404, false]]) {
    assert.equal(new APIError(status, null).passes, passes, String(status));
  }
  assert.equal(new APIError(0, null).message, 'The gateway does not answer.');
  assert.equal(others(e, ['url']), null);
  assert.equal(others(e, ['tags']), e);
  assert.equal(others(null, []), null);
});

test('what is refused of an item of a list is said beside the list', () => {
  const e = { fields: { 'tags[0]': 'is too long', 'tags[1]': 'has a space', 'settings.headers[0].name': 'is no token', tagsx: 'is new' } };
  assert.equal(refusal(e, 'tags'), 'is too long; has a space');
  assert.equal(refusal(e, 'settings.headers'), 'is no token');
  assert.equal(refusal(e, ''), '');
  assert.equal(refusal(null, 'tags'), '');
  assert.equal(others({ fields: { 'tags[0]': 'x' } }, ['tags']), null);
  assert.ok(others(e, ['tags', 'settings']));
});

test('a wait grows, has chance in it, and obeys the server', () => {
  assert.equal(backoff(0, 0, 0), 150);
  assert.equal(backoff(2, 0, 1), 1200);
  assert.equal(backoff(20, 0, 1), 10_000);
  assert.equal(backoff(0, 30, 1), 30_000);
});

test('a query leaves out what is empty', () => {
  assert.equal(query(), '');
  assert.equal(query({ a: '', b: null, c: undefined }), '');
  assert.equal(query({ a: 0, b: false, c: ['x', 'y z'], d: '&' }), '?a=0&b=false&c=x&c=y+z&d=%26');
});

test('a path is matched whole', () => {
  assert.deepEqual(match('/ui/sites/:id', '/ui/sites/7'), { id: '7' });
  assert.deepEqual(match('/ui/sites/:id', '/ui/sites/7/'), { id: '7' });
  assert.deepEqual(match('/ui/sites/:id', '/ui/sites/a%2Fb'), { id: 'a/b' });
  for (const path of ['/ui/sites', '/ui/sites/', '/ui/sites/7/x', '/ui/outages/7', '/ui/sites/%']) assert.equal(match('/ui/sites/:id', path), null, path);
});

test('numbers are grouped, and a share is cut and not rounded', () => {
  assert.equal(count('9007199254740993'), '9,007,199,254,740,993');
  assert.equal(count(1234567), '1,234,567');
  assert.equal(count(12n), '12');
  assert.equal(plural(1n, 'site'), '1 site');
  assert.equal(count(undefined), '–');
  assert.equal(share(0.999999), '99.99 %');
  assert.equal(share(1), '100 %');
  assert.equal(share(0.29), '29.00 %');
  assert.equal(share(0), '0 %');
  assert.equal(share(undefined), '–');
  assert.equal(plural(1, 'site'), '1 site');
  assert.equal(plural('2', 'site'), '2 sites');
  assert.equal(decimal(1.005), '1.01');
  assert.equal(millis(999), '999 ms');
  assert.equal(millis(2500), '2.5 s');
});

test('times and spans', () => {
  const now = Date.parse('2026-11-30T12:00:00Z');
  assert.equal(ago('2026-11-30T12:00:00.400Z', now), 'now');
  assert.equal(ago('2026-11-30T11:59:30Z', now), '30 s ago');
  assert.equal(ago('2026-11-30T11:30:00Z', now), '30 min ago');
  assert.equal(ago('2026-11-28T11:00:00Z', now), '2 d ago');
  assert.equal(ago('2026-11-30T15:00:00Z', now), 'in 3 h');
  assert.equal(utc('2026-11-30T12:00:00.999Z'), '2026-11-30 12:00:00 UTC');
  assert.equal(span(90_061_000), '1 d 1 h');
  assert.equal(span(3_600_000), '1 h');
  assert.equal(span(61_000), '1 min 1 s');
  assert.equal(span(86_401_000), '1 d');
  assert.equal(span(250), '250 ms');
  assert.equal(seconds('0.250s'), 250);
  assert.equal(seconds(undefined), 0);
});

test('what the API names has words, also what is new', () => {
  assert.equal(siteState('SITE_STATE_DOWN').word, 'down');
  assert.deepEqual(siteState('SITE_STATE_NEW_THING'), { word: 'new thing', shape: '○', tone: 'quiet' });
  assert.equal(failure('FAILURE_KIND_BLOCKED'), 'blocked by a firewall');
  assert.equal(failure('FAILURE_KIND_NEW'), 'new');
  assert.equal(plain(undefined), '');
  assert.ok(failureKinds.every(([k, words]) => k.startsWith('FAILURE_KIND_') && words));
  assert.notEqual(alarm('ALARM_KIND_STORE').advice, '');
});

test('what a scope does not allow is not offered', () => {
  assert.ok(allows({ scopes: ['a'] }, 'a') && allows({ scopes: [] }, '') && !allows({ scopes: ['a'] }, 'b') && !allows(null, 'b'));
  assert.ok(isLimited({ blog_ids: ['7'] }) && !isLimited({ blog_ids: [] }) && !isLimited(null));
  assert.deepEqual(offered({ scopes: [] }).filter((r) => r.scope), []);
});

test('each page has a title, is found under its own path, and no two share a key', () => {
  for (const r of routes) {
    assert.ok(r.title && typeof r.page === 'function', r.path);
    assert.equal(find(r.path.replace(/:\w+/g, '1'))?.route, r, r.path);
    assert.ok(r.nav || routes.some((o) => o.nav === r.under) || r.under === undefined, `${r.path} is under ${r.under}`);
  }
  const keys = routes.map((r) => r.key).filter(Boolean);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(find('/ui/nothing'), null);
});

test('a store tells of changes only', () => {
  const s = store(1);
  const seen = [];
  const stop = s.subscribe((v) => seen.push(v));
  s.set(1); s.set(2); stop(); s.set(3);
  assert.deepEqual(seen, [2]);
  assert.equal(s.get(), 3);
});

test('a single point of a chart has an hour around it, and the marks of an axis are whole', () => {
  assert.deepEqual(timeRange([7200], 7200, 7200 + 86_400_000), [5400, 9000]);
  assert.deepEqual(timeRange([0, 60], 0, 60), [0, 60]);
  assert.deepEqual(steps.slice(0, 4), [1, 2, 5, 10]);
  assert.ok(steps.every((s) => Number.isInteger(s)));
  assert.match(tick(0, undefined, 3600), /\n/);
  assert.match(tick(7200, 3600, 3600), /^\d\d:00$/);
  assert.deepEqual(alone([1, null, 2, 3, null, 0]), [0, 5]);
  assert.deepEqual(alone([7]), [0]);
  assert.deepEqual(alone([]), []);
});

test('a time in words of the API is found', () => {
  assert.deepEqual(timed('told at 2026-12-01 03:25:30Z, and 2026-12-01T03:25:31.5Z'), ['told at ', '2026-12-01T03:25:30Z', ', and ', '2026-12-01T03:25:31.5Z', '']);
  assert.deepEqual(timed('no time'), ['no time']);
  assert.deepEqual(timed(undefined), ['']);
});
