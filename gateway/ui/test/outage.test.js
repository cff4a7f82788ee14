import test from 'node:test';
import assert from 'node:assert/strict';
import { delivery, headline, rule, story, tally, told } from '../app/pages/outage/story.js';
import { longest, micros, waterfall } from '../app/pages/outage/waterfall.js';
import { verdict } from '../app/pages/outage/replay.js';
import { outcome, phase, seen } from '../app/lib/observation.js';

const saw = { outcome: 'OUTCOME_DOWN', failure: 'FAILURE_KIND_SERVER', reason: 'status_500', http_status: 500, detail: 'the server failed' };
const vote = (region, value) => ({ veriflier: `v-${region}`, region, value: `VOTE_VALUE_${value}` });
const outage = {
  outage_id: '17', start_time: '2026-11-30T10:00:00Z', confirm_time: '2026-11-30T10:00:05Z', failure: 'FAILURE_KIND_SERVER', http_status: 500,
  rule: { verifliers: 4, need: 2, regions: 2 }, round: 1, relapses: 0, maintenance_id: '0', end_reason: 'END_REASON_UNSPECIFIED',
  votes: [vote('europe', 'DOWN'), vote('asia', 'DOWN'), vote('america', 'UP'), vote('africa', 'UNKNOWN')],
  checks: [{ checker: 'c1', end_time: '2026-11-30T10:00:00Z', observation: saw }, { checker: 'c2', end_time: '2026-11-30T10:00:02Z', observation: saw }],
};
const over = { ...outage, end_time: '2026-11-30T10:10:00Z', end_reason: 'END_REASON_RECOVERED' };

test('the story is told in the order in which it happened', () => {
  const ballot = { open_time: '2026-11-30T10:00:04Z' };
  const notices = [
    { recipient: 'WordPress.com', event_type: 'EVENT_TYPE_SITE_UP', state: 'NOTIFICATION_STATE_DELIVERED', attempt_count: 1, create_time: '2026-11-30T10:10:00Z', accept_time: '2026-11-30T10:10:00.500Z' },
    { recipient: 'WordPress.com', event_type: 'EVENT_TYPE_SITE_DOWN', state: 'NOTIFICATION_STATE_DELIVERED', attempt_count: 2, create_time: '2026-11-30T10:00:05Z', accept_time: '2026-11-30T10:00:06Z' },
  ];
  assert.deepEqual(story(over, { ballot, notices }).map((s) => s.title), [
    'The first failure', 'Checked again', 'The verifliers were asked', 'The outage was confirmed',
    'WordPress.com was told that it is down', 'Up again', 'WordPress.com was told that it is up again',
  ]);
  const steps = story(over, { ballot, notices });
  assert.equal(steps[0].text, 'c1 found: server error (status 500), HTTP 500, the server failed.');
  assert.equal(steps[3].text, '2 of 4 saw it fail, from asia, europe; 1 saw it up, 1 had no opinion. The rule takes 2 votes of 4, from 2 regions.');
  assert.equal(steps[4].text, 'Accepted after 1 s, at attempt 2.');
  assert.equal(steps[5].text, 'The site was up again, and a second node agreed. It had lasted 10 min.');
});

test('what has no time of its own comes before the end', () => {
  const steps = story({ ...over, relapses: 1, paused_duration: '60s', maintenance_duration: '120s' });
  assert.deepEqual(steps.slice(-4).map((s) => s.title), ['It came and went', 'Paused meanwhile', 'In maintenance meanwhile', 'Up again']);
  assert.equal(steps.at(-4).text, '1 good stretch did not last.');
  assert.equal(story({ ...outage, maintenance_id: '3' }).at(-1).title, 'It began in maintenance');
  assert.equal(story({ ...outage, suspend_time: '2026-11-30T10:05:00Z' }).at(-1).title, 'Suspended');
});

test('an outage without a vote, a later round and a new reason to end are told', () => {
  assert.deepEqual(story({ ...outage, votes: [], checks: [] }).map((s) => s.title), ['The outage was opened without a vote']);
  assert.match(story({ ...outage, round: 3 }, { ballot: { open_time: outage.confirm_time } })[2].text, /in round 3/);
  assert.equal(story({ ...over, end_reason: 'END_REASON_NEW_THING' }).at(-1).text, 'Why: new thing. It had lasted 10 min.');
});

test('what was never accepted is not said to be told', () => {
  const dead = { recipient: 'pager', event_type: 'EVENT_TYPE_SITE_DOWN', state: 'NOTIFICATION_STATE_DEAD', attempt_count: 12, create_time: outage.confirm_time };
  const [step] = story(outage, { notices: [dead] }).filter((s) => s.kind === 'told');
  assert.equal(step.title, 'pager could not be told that it is down');
  assert.equal(step.text, 'Never accepted, at attempt 12.');
  assert.deepEqual([delivery('NOTIFICATION_STATE_NEW').word, told('EVENT_TYPE_NEW')], ['new', 'new']);
});

test('the headline says what it was and how long', () => {
  const now = Date.parse('2026-11-30T10:01:01Z');
  assert.equal(headline(outage, now).word, 'Down for 1 min 1 s: server error, HTTP 500.');
  assert.equal(headline(over, now).word, 'Was down for 10 min: server error, HTTP 500.');
  assert.equal(headline({ ...outage, suspend_time: outage.confirm_time }, now).tone, 'fair');
});

test('votes are counted, and regions once', () => {
  assert.deepEqual(tally([...outage.votes, vote('europe', 'DOWN')]), { down: 3, up: 1, unknown: 1, regions: ['asia', 'europe'] });
  assert.equal(rule({ verifliers: 1, need: 1, regions: 1 }), '1 vote of 1, from 1 region');
});

test('a waterfall adds up to the whole, whatever is missing', () => {
  const fall = waterfall({ dns_micros: 10, connect_micros: 0, tls_micros: 20, first_byte_micros: 30, total_micros: 100 });
  assert.deepEqual(fall.parts.map((p) => [p.key, p.from, p.took]), [['dns', 0, 10], ['tls', 10, 20], ['wait', 30, 30], ['rest', 60, 40]]);
  assert.equal(fall.total, 100);
  assert.equal(waterfall(undefined), null);
  assert.deepEqual(waterfall({ total_micros: 0 }), { parts: [], total: 0 });
  assert.equal(waterfall({ dns_micros: 10, total_micros: 5 }).total, 10);
  assert.equal(longest([null, fall]), 100);
  assert.equal(longest([]), 1);
  assert.deepEqual([micros(57), micros(1500), micros(2_500_000)], ['57 µs', '1.5 ms', '2.5 s']);
});

test('an observation is said in words, and its good outcome too', () => {
  assert.equal(seen({ outcome: 'OUTCOME_UP', http_status: 200, resolved_address: '192.0.2.1:443' }), 'HTTP 200 from 192.0.2.1:443');
  assert.equal(seen(undefined), 'nothing is known of it');
  assert.equal(seen({ outcome: 'OUTCOME_UNKNOWN', failure: 'FAILURE_KIND_UNSPECIFIED', reason: 'self_check' }), 'could not tell (self check)');
  assert.deepEqual([outcome(saw).word, outcome(undefined).word, phase('PHASE_TLS'), phase('PHASE_NEW')], ['fails', 'could not tell', 'TLS handshake', '']);
  assert.equal(verdict('VERDICT_CONFIRMED').tone, 'bad');
});
