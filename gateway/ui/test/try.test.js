import test from 'node:test';
import assert from 'node:assert/strict';
import { lines } from '../app/lib/api.js';
import { begin, next, progress, rows, verdict } from '../app/pages/try/probe.js';
import * as found from '../app/pages/diagnose/findings.js';
import { asked } from '../app/pages/diagnose/asked.js';

test('lines come whole, however the text is cut', () => {
  const all = '{"a":"é\\n"}\n\n{"b":2}\n';
  for (let size = 1; size < all.length; size++) {
    const got = [];
    const push = lines((line) => got.push(line));
    for (let at = 0; at < all.length; at += size) push(all.slice(at, at + size));
    assert.deepEqual(got, [{ a: 'é\n' }, { b: 2 }]);
  }
});

const panel = { url: 'http://a.example/', verifliers: [{ veriflier: 'v3', region: 'b' }, { veriflier: 'v2', region: 'a' }, { veriflier: 'v1', region: 'a' }] };
const vote = (veriflier, value) => ({ vote: { veriflier, value: `VOTE_VALUE_${value}` } });

test('a probe is known step by step', () => {
  let probe = begin;
  assert.equal(progress(probe), 'The verifliers are asked.');
  assert.deepEqual(rows(probe), []);
  for (const step of [{ panel }, vote('v2', 'DOWN'), { another: 'thing' }]) probe = next(probe, step);
  assert.equal(progress(probe), '1 of 3 have answered.');
  assert.deepEqual(rows(probe).map((r) => [r.region, r.veriflier, r.vote?.value ?? null]), [['a', 'v1', null], ['a', 'v2', 'VOTE_VALUE_DOWN'], ['b', 'v3', null]]);
  assert.equal(verdict(probe), null);
  const rule = { verifliers: 3, need: 2, regions: 2 };
  for (const step of [vote('v1', 'UNKNOWN'), vote('v3', 'DOWN'), { ballot: { verdict: 'VERDICT_CONFIRMED', rule } }]) probe = next(probe, step);
  assert.deepEqual(verdict(probe), {
    word: 'Down', shape: '▼', tone: 'bad', why: '2 of 3 verifliers saw it fail, 0 saw it work; 1 has no opinion. To be down it takes 2 votes of 3, from 2 regions.',
  });
  assert.equal(verdict(next(probe, { ballot: { verdict: 'VERDICT_OF_TOMORROW', rule } })).word, 'Nobody can tell');
});

test('what a diagnosis ends with replaces what was said on the way', () => {
  const finding = (check, verdict, section = 'WAY_IN') => ({ check, verdict: `FINDING_VERDICT_${verdict}`, section: `DIAGNOSIS_SECTION_${section}` });
  let made = found.begin;
  assert.equal(found.progress(made), 'The first step is under way.');
  for (const f of [finding('dns', 'PASS'), finding('xmlrpc_get', 'FAIL', 'XMLRPC')]) made = found.next(made, { finding: f });
  assert.equal(found.progress(made), '2 steps done, 1 failing; the last was xmlrpc get.');
  made = found.next(made, { diagnosis: { findings: [finding('dns', 'PASS'), finding('tcp', 'WARN'), finding('new', 'NEWER', 'NEW_PART')] } });
  assert.deepEqual(found.parts(made.findings).map(([title, list]) => [title, list.map((f) => found.verdict(f.verdict).word)]), [
    ['The way in', ['good', 'worth a look']], ['new part', ['newer']],
  ]);
});

test('a site is named by number, URL or host', () => {
  assert.deepEqual(asked(' 17 '), { id: '17' });
  assert.deepEqual(asked('Shop.Example.com/path?x'), { params: { host: 'shop.example.com' } });
  assert.deepEqual(asked('https://example.com/a'), { params: { url: 'https://example.com/a' } });
  assert.deepEqual(asked('17', false), { id: '17' });
});
