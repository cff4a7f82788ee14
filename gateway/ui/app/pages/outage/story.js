// The case of an outage, told from its evidence.
import { millis, plural } from '../../lib/numbers.js';
import { seen } from '../../lib/observation.js';
import { span, seconds } from '../../lib/time.js';
import { failure, plain } from '../../lib/words.js';

const votes = {
  DOWN: { word: 'down', shape: '▼', tone: 'bad' },
  UP: { word: 'up', shape: '●', tone: 'good' },
  UNKNOWN: { word: 'no opinion', shape: '○', tone: 'quiet' },
};

/** voice returns {word, shape, tone} of a vote. */
export const voice = (v) => votes[v.value.replace('VOTE_VALUE_', '')] ?? votes.UNKNOWN;

/** tally counts votes: {down, up, unknown, regions} with the regions of those who say down. */
export function tally(list) {
  const of = (value) => list.filter((v) => v.value === `VOTE_VALUE_${value}`);
  return { down: of('DOWN').length, up: of('UP').length, unknown: list.length - of('DOWN').length - of('UP').length, regions: [...new Set(of('DOWN').map((v) => v.region))].sort() };
}

/** rule says what a rule needs. */
export const rule = (r) => `${plural(r.need, 'vote')} of ${r.verifliers}, from ${plural(r.regions, 'region')}`;

/** lasted is how long an outage was, or is so far, in ms. */
export const lasted = (o, now) => new Date(o.end_time ?? now).getTime() - new Date(o.start_time).getTime();

/** headline is the outage in a sentence, as {word, shape, tone}. */
export function headline(o, now) {
  const what = failure(o.failure) + (o.http_status ? `, HTTP ${o.http_status}` : '');
  const time = span(lasted(o, now));
  if (o.end_time) return { word: `Was down for ${time}: ${what}.`, shape: '✓', tone: 'quiet' };
  if (o.suspend_time) return { word: `Suspended, for the site is paused: ${what}.`, shape: '‖', tone: 'fair' };
  return { word: `Down for ${time}: ${what}.`, shape: '▼', tone: 'bad' };
}

const ends = {
  RECOVERED: ['Up again', 'The site was up again, and a second node agreed.'],
  DELETED: ['The site was deleted', 'Nobody is told of that.'],
  CHANGED: ['The site got another URL', 'Nobody is told of that: the new URL is judged anew.'],
};

/**
 * story lists what happened, in order: {at, title, text, kind}, kind as one of check, vote, told, pause, end.
 * ballot is that of the replay, and notices what others were told; either may be missing.
 */
export function story(o, { ballot = null, notices = [] } = {}) {
  const steps = [...o.checks.map(check), ...voting(o, ballot), ...notices.map(notice)];
  if (o.relapses > 0) steps.push({ at: '', kind: 'check', title: 'It came and went', text: `${plural(o.relapses, 'good stretch', 'good stretches')} did not last.` });
  if (o.suspend_time) steps.push({ at: o.suspend_time, kind: 'pause', title: 'Suspended', text: 'The site was paused; this is no downtime.' });
  if (seconds(o.paused_duration) > 0) steps.push({ at: '', kind: 'pause', title: 'Paused meanwhile', text: `For ${span(seconds(o.paused_duration))}, which is no downtime.` });
  if (o.maintenance_id !== '0') steps.push({ at: '', kind: 'pause', title: 'It began in maintenance', text: 'Nobody is told of it before that is over.' });
  else if (seconds(o.maintenance_duration) > 0) steps.push({ at: '', kind: 'pause', title: 'In maintenance meanwhile', text: `For ${span(seconds(o.maintenance_duration))}, which is no downtime.` });
  if (o.end_time) {
    const [title, text] = ends[o.end_reason.replace('END_REASON_', '')] ?? ['It is over', `Why: ${plain(o.end_reason, 'END_REASON_')}.`];
    steps.push({ at: o.end_time, kind: 'end', title, text: `${text} It had lasted ${span(lasted(o))}.` });
  }
  return sorted(steps);
}

// sorted puts what has no time of its own before the end, and keeps the order of what happened at once.
function sorted(steps) {
  const time = (s) => (s.at ? Date.parse(s.at) : s.kind === 'end' ? Infinity : Number.MAX_VALUE);
  const end = steps.find((s) => s.kind === 'end');
  const limit = end ? Date.parse(end.at) : Infinity;
  const key = (s) => (s.at ? time(s) : limit);
  return steps.map((s, i) => ({ s, i })).sort((a, b) => key(a.s) - key(b.s) || a.i - b.i).map(({ s }) => s);
}

function check(c, i) {
  const title = i === 0 ? 'The first failure' : `Checked again${i > 1 ? `, the ${ordinal(i)} time` : ''}`;
  return { at: c.end_time, kind: 'check', title, text: `${c.checker} found: ${seen(c.observation)}.` };
}

const ordinal = (n) => ({ 2: 'second', 3: 'third' })[n] ?? `${n}th`;

function voting(o, ballot) {
  if (o.votes.length === 0) {
    return [{ at: o.confirm_time, kind: 'vote', title: 'The outage was opened without a vote', text: '' }];
  }
  const n = tally(o.votes);
  const asked = ballot?.open_time ? [{ at: ballot.open_time, kind: 'vote', title: 'The verifliers were asked', text: `${plural(o.votes.length, 'veriflier')}${o.round > 1 ? `, in round ${o.round}: the rounds before did not decide` : ''}.` }] : [];
  const others = [n.up && `${n.up} saw it up`, n.unknown && `${n.unknown} had no opinion`].filter(Boolean).join(', ');
  const text = `${n.down} of ${o.votes.length} saw it fail, from ${n.regions.join(', ') || 'no region'}${others ? `; ${others}` : ''}. The rule takes ${rule(o.rule)}.`;
  return [...asked, { at: o.confirm_time, kind: 'vote', title: 'The outage was confirmed', text }];
}

const news = { SITE_DOWN: 'that it is down', SITE_CONFIRMED_DOWN: 'that it is still down', SITE_UP: 'that it is up again' };

/** told returns EVENT_TYPE_* as what somebody is told. */
export const told = (type = '') => news[type.replace('EVENT_TYPE_', '')] ?? plain(type, 'EVENT_TYPE_');

const states = {
  DELIVERED: ['accepted', '✓', 'good'], ALIVE: ['accepted, and repeated', '✓', 'good'], WAITING: ['is to be told', '…', 'fair'],
  BEHIND: ['waits for an older one', '…', 'fair'], DEAD: ['never accepted', '✕', 'bad'], SUPERSEDED: ['not told: it was up again before', '–', 'quiet'],
};

/** delivery returns {word, shape, tone} of NOTIFICATION_STATE_*. */
export function delivery(state = '') {
  const [word, shape, tone] = states[state.replace('NOTIFICATION_STATE_', '')] ?? [plain(state, 'NOTIFICATION_STATE_'), '○', 'quiet'];
  return { word, shape, tone };
}

const hearing = { good: 'was told', fair: 'is to be told', bad: 'could not be told', quiet: 'was not told' };

function notice(n) {
  const how = delivery(n.state);
  const took = n.accept_time ? ` after ${millis(new Date(n.accept_time) - new Date(n.create_time))}` : '';
  const tries = n.attempt_count > 1 ? `, at attempt ${n.attempt_count}` : '';
  return { at: n.accept_time ?? n.create_time, kind: 'told', title: `${n.recipient} ${hearing[how.tone]} ${told(n.event_type)}`, text: `${how.word[0].toUpperCase()}${how.word.slice(1)}${took}${tries}.` };
}
