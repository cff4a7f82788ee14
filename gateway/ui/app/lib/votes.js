// What the votes of verifliers mean, in words.
import { plural } from './numbers.js';

const votes = {
  DOWN: { word: 'down', shape: '▼', tone: 'bad' },
  UP: { word: 'up', shape: '●', tone: 'good' },
  UNKNOWN: { word: 'no opinion', shape: '○', tone: 'quiet' },
};

/** voice returns {word, shape, tone} of a vote. */
export const voice = (v) => votes[v.value.replace('VOTE_VALUE_', '')] ?? votes.UNKNOWN;

/** rule says what a rule needs. */
export const rule = (r) => `${plural(r.need, 'vote')} of ${r.verifliers}, from ${plural(r.regions, 'region')}`;
