import test from 'node:test';
import assert from 'node:assert/strict';
import { withSites } from '../app/pages/outages/members.js';
import { asked, group, isFiltered, lasted, none } from '../app/pages/outages/query.js';

const outage = (id, site, start, end) => ({
  outage_id: id, site_id: site, start_time: start, confirm_time: new Date(Date.parse(start) + 40_000).toISOString(), end_time: end,
});
const incident = (id, sites, start, end) => ({ incident_id: id, sites: new Set(sites), start_time: start, end_time: end });

test('outages of an incident stand together, before those of none', () => {
  const groups = group(
    [outage('5', 'c', '2026-01-02T00:05:00Z'), outage('4', 'a', '2026-01-02T00:01:00Z'), outage('3', 'b', '2026-01-01T23:59:20Z'),
      outage('2', 'a', '2026-01-01T00:00:00Z', '2026-01-01T00:01:00Z'), outage('1', 'b', '2026-01-03T00:00:00Z')],
    [incident('9', ['a', 'b'], '2026-01-02T00:00:00Z', '2026-01-02T12:00:00Z')],
  );
  assert.deepEqual(groups.map((g) => [g.incident?.incident_id ?? null, g.outages.map((o) => o.outage_id)]), [['9', ['4', '3']], [null, ['5', '2', '1']]]);
  assert.deepEqual(group([], []), []);
});

test('the filters are asked for as the API has them', () => {
  assert.equal(isFiltered(none), false);
  assert.equal(isFiltered({ ...none, tag: 'x' }), true);
  assert.deepEqual(asked({ ...none, kind: 'FAILURE_KIND_DNS', host: ' a.example ', blog: '7' }),
    { failure: 'FAILURE_KIND_DNS', host: 'a.example', tag: '', blog_id: '7', site_id: '', region: '', min_duration: '' });
});

test('an open outage lasts until now', () => {
  assert.equal(lasted(outage('1', 'a', '2026-01-01T00:00:00Z'), Date.parse('2026-01-01T00:00:05Z')), 5000);
  assert.equal(lasted(outage('1', 'a', '2026-01-01T00:00:00Z', '2026-01-01T00:00:03Z'), Date.parse('2026-01-02T00:00:00Z')), 3000);
});

test('the sites of an incident are read page by page, and again when it has more', async () => {
  const reads = [];
  const get = async (path, { params }) => {
    reads.push(`${path} ${params.page_token}`);
    return params.page_token ? { members: [{ site_id: 'b' }], next_page_token: '' } : { members: [{ site_id: 'a' }], next_page_token: 'more' };
  };
  const first = await withSites([{ incident_id: '9', members: '2' }], [], get);
  assert.deepEqual(first, [{ incident_id: '9', members: '2', sites: new Set(['a', 'b']) }]);
  assert.deepEqual(reads, ['/v1/incidents/9/members ', '/v1/incidents/9/members more']);
  const again = await withSites([{ incident_id: '9', members: '2', end_time: '2026-01-02T00:00:00Z' }], first, get);
  assert.equal(reads.length, 2);
  assert.deepEqual(again[0].sites, new Set(['a', 'b']));
  assert.equal(again[0].end_time, '2026-01-02T00:00:00Z');
  await withSites([{ incident_id: '9', members: '3' }], again, get);
  assert.equal(reads.length, 4);
});

test('of an endless incident the sites are read to a bound', async () => {
  let reads = 0;
  await withSites([{ incident_id: '9', members: '9' }], [], async () => ({ members: [{ site_id: String(reads++) }], next_page_token: 'more' }));
  assert.equal(reads, 10);
});
