// What is known of a probe while its answers come.
import { count, plural } from '../../lib/numbers.js';
import { rule } from '../../lib/votes.js';

/** begin is a probe of which nothing is known yet. */
export const begin = { panel: null, votes: [], ballot: null };

/** next is a probe after one more step of the API. */
export function next(probe, step) {
  if (step.panel) return { ...probe, panel: step.panel };
  if (step.vote) return { ...probe, votes: [...probe.votes, step.vote] };
  if (step.ballot) return { ...probe, ballot: step.ballot };
  return probe; // of a newer API
}

/** rows lists the verifliers by region, each with its vote, or with none yet: {veriflier, region, vote}. */
export function rows(probe) {
  const votes = new Map(probe.votes.map((v) => [v.veriflier, v]));
  const all = (probe.panel?.verifliers ?? []).map((v) => ({ ...v, vote: votes.get(v.veriflier) ?? null }));
  return all.sort((a, b) => a.region.localeCompare(b.region) || a.veriflier.localeCompare(b.veriflier));
}

const verdicts = {
  CONFIRMED: { word: 'Down', shape: '▼', tone: 'bad' },
  REJECTED: { word: 'Up', shape: '●', tone: 'good' },
  INCONCLUSIVE: { word: 'Nobody can tell', shape: '○', tone: 'fair' },
};

/** verdict returns {word, shape, tone, why} of what the quorum says; null while it has not said. */
export function verdict(probe) {
  if (!probe.ballot) return null;
  const said = verdicts[probe.ballot.verdict.replace('VERDICT_', '')] ?? verdicts.INCONCLUSIVE;
  const of = (value) => probe.votes.filter((v) => v.value === `VOTE_VALUE_${value}`).length;
  const told = of('UNKNOWN') ? `; ${plural(of('UNKNOWN'), 'has', 'have')} no opinion` : '';
  return { ...said, why: `${count(of('DOWN'))} of ${plural(probe.votes.length, 'veriflier')} saw it fail, ${count(of('UP'))} saw it work${told}. To be down it takes ${rule(probe.ballot.rule)}.` };
}

/** progress says how far it is, for who cannot see the table. */
export function progress(probe) {
  if (!probe.panel) return 'The verifliers are asked.';
  return `${count(probe.votes.length)} of ${count(probe.panel.verifliers.length)} have answered.`;
}
