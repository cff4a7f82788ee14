// What the bar of days shows of each day.
import { share, plural } from '../../lib/numbers.js';
import { seconds, span } from '../../lib/time.js';

const states = {
  none: { word: 'nobody looked', tone: 'quiet' },
  paused: { word: 'paused', tone: 'quiet' },
  down: { word: 'down', tone: 'bad' },
  part: { word: 'up, seen in part', tone: 'good' },
  up: { word: 'up', tone: 'good' },
};

/**
 * day says what a day of GET .../uptime was: {date, kind, word, tone, seen, down, outages, text}. seen is the
 * share of its checks that were made, 0 where nobody looked: that is never drawn as up. down is the downtime in
 * ms, which outages tell also of days whose checks are no longer kept.
 */
export function day(point) {
  const down = seconds(point.down_time);
  const turns = Object.fromEntries(Object.entries(point.turns ?? {}).map(([k, n]) => [k, Number(n)]));
  const seen = point.coverage ?? 0;
  const kind = kindOf(down, seen, turns);
  const date = point.start_time.slice(0, 10);
  const { word, tone } = states[kind];
  const parts = [down > 0 ? `down for ${span(down)}${point.outages > 0 ? ` in ${plural(point.outages, 'outage')}` : ''}` : word];
  if (kind !== 'none' && kind !== 'paused') parts.push(seen > 0 ? `looked at ${share(seen)} of the time` : 'no check is known');
  return { date, kind, word, tone, seen, down, length: new Date(point.end_time) - new Date(point.start_time), outages: point.outages ?? 0, uptime: point.uptime, text: `${date}: ${parts.join('; ')}` };
}

function kindOf(down, seen, turns) {
  if (down > 0) return 'down';
  if (seen > 0) return seen < 0.995 ? 'part' : 'up';
  return turns.paused > 0 ? 'paused' : 'none';
}

const least = 0.2; // of the height, that a short outage can be seen

/**
 * column says how a day is drawn: heights of what was seen up and of what was down, as shares of the whole. A day
 * on which the site was watched for some minutes is as high as any: it is the share of these that counts.
 */
export function column(d) {
  const down = d.down > 0 ? Math.min(1, Math.max(least, d.uptime === undefined ? d.down / d.length : 1 - d.uptime)) : 0;
  return { down, up: Math.max(0, Math.min(1 - down, d.seen)) };
}

/** sentence sums the days up. */
export function sentence(uptime) {
  if (uptime.uptime === undefined) return 'Nothing is known of these days.';
  const seen = uptime.coverage === undefined ? 'no check of them is known' : `checked ${share(uptime.coverage)} of the time`;
  const outages = uptime.outages > 0 ? `${plural(uptime.outages, 'outage')}, the longest ${span(seconds(uptime.longest_outage))}` : 'no outage';
  return `Up ${share(uptime.uptime)} of the time that counts; ${seen}; ${outages}.`;
}

/** since returns the midnight of UTC with which the bar begins: so many days, with today. */
export function since(days, now) {
  const midnight = new Date(now);
  midnight.setUTCHours(0, 0, 0, 0);
  return new Date(midnight.getTime() - (days - 1) * 86_400_000).toISOString();
}
