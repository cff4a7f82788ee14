import test from 'node:test';
import assert from 'node:assert/strict';
import { checkers, dissent, groups, matrix, verifliers, views } from '../app/pages/fleet/seen.js';

const checker = (node, at, open, more = {}) => ({ node, region: 'eu', connect_time: at, open_checks: open, credit: 10, ...more });
const veriflier = (name, asked, at, state = 'OK') => ({ name, region: 'eu', asked: String(asked), unknown: '1', dissented: '2', state, detail: '', last_answer_time: at });
const pair = (veriflier, other_veriflier, ballots, differed) => ({ veriflier, other_veriflier, ballots: String(ballots), differed: String(differed) });

const fleet = {
  coordinator: { node: 'c2' }, checkers: [checker('k1', '2026-01-01T10:00:00Z', 1)],
  verifliers: [veriflier('v2', 5, '2026-01-01T10:00:00Z'), veriflier('v1', 5)], veriflier_pairs: [pair('v1', 'v2', 10, 1)],
  peers: [
    { node: 'c1', status: { node: 'c1' }, checkers: [checker('k1', '2026-01-01T09:59:59.5Z', 2), checker('k0', '2026-01-01T09:00:00Z', 0)],
      verifliers: [veriflier('v1', 7, undefined, 'UNFIT'), veriflier('v2', 7, '2026-01-01T10:00:00.25Z')], veriflier_pairs: [pair('v1', 'v2', 30, 9)] },
    { node: 'old', status: { node: 'old' }, checkers: [], verifliers: [], veriflier_pairs: [] },
    { node: 'away', detail: 'does not answer', checkers: [], verifliers: [] },
  ],
};

test('a coordinator that does not answer, or is too old to tell, sees nothing', () => {
  assert.deepEqual(views(fleet).map((v) => v.by), ['c1', 'c2']);
});

test('a checker is listed once, with what all coordinators gave it, and who does not know it', () => {
  const [k0, k1] = checkers(views(fleet));
  assert.deepEqual([k0.node, k0.missing, k1.node, k1.missing], ['k0', ['c2'], 'k1', []]);
  assert.deepEqual([k1.open_checks, k1.credit, k1.since], [3, 20, '2026-01-01T09:59:59.5Z']);
});

test('the counts of a veriflier are added up, and its latest answer counts', () => {
  const [v1, v2] = verifliers(views(fleet));
  assert.deepEqual([v1.asked, v1.unknown, v1.dissented, v1.last_answer_time], [12, 2, 4, undefined]);
  assert.equal(v2.last_answer_time, '2026-01-01T10:00:00.25Z');
  assert.deepEqual(groups(v1.seen, (s) => s.state).map((g) => [g.by, g.status.state]), [[['c1'], 'UNFIT'], [['c2'], 'OK']]);
  assert.deepEqual(groups(v2.seen, (s) => s.state).map((g) => g.by), [['c1', 'c2']]);
});

test('pairs are those of all coordinators, the same from both sides', () => {
  const { names, at } = matrix(views(fleet));
  assert.deepEqual(names, ['v1', 'v2']);
  assert.deepEqual(at('v1', 'v2'), { ballots: 40, differed: 10, share: 0.25 });
  assert.deepEqual(at('v2', 'v1'), at('v1', 'v2'));
  assert.equal(at('v1', 'v1'), undefined);
  assert.deepEqual(matrix([{ by: 'c', verifliers: [{ name: 'a' }, { name: 'b' }] }]).at('a', 'b'), { ballots: 0, differed: 0, share: undefined });
});

test('few ballots prove no dissent', () => {
  const word = (ballots, differed) => dissent({ ballots, share: ballots ? differed / ballots : undefined }).word;
  assert.deepEqual([word(0, 0), word(4, 4), word(5, 5), word(100, 5), word(100, 4)], ['not yet', 'too few to tell', 'differ', 'differ at times', 'agree']);
});
