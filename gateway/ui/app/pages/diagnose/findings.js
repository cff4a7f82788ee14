// A diagnosis while it is made, and when it is.
import { count, plural } from '../../lib/numbers.js';
import { plain } from '../../lib/words.js';

/** begin is a diagnosis of which nothing is known yet. */
export const begin = { findings: [], diagnosis: null };

/** next is a diagnosis after one more step of the API. What it ends with counts, not what was said on the way. */
export function next(made, step) {
  if (step.diagnosis) return { findings: step.diagnosis.findings, diagnosis: step.diagnosis };
  if (step.finding) return { ...made, findings: [...made.findings, step.finding] };
  return made; // of a newer API
}

const verdicts = {
  PASS: { word: 'good', shape: '●', tone: 'good' },
  WARN: { word: 'worth a look', shape: '◆', tone: 'fair' },
  FAIL: { word: 'fails', shape: '▼', tone: 'bad' },
  SKIPPED: { word: 'not done', shape: '○', tone: 'quiet' },
};

/** verdict returns {word, shape, tone} of FINDING_VERDICT_*. */
export const verdict = (name = '') => verdicts[name.replace('FINDING_VERDICT_', '')] ?? { word: plain(name, 'FINDING_VERDICT_'), shape: '○', tone: 'quiet' };

const sections = {
  WAY_IN: 'The way in', XMLRPC: 'xmlrpc.php', JETPACK: "Jetpack's answer", METADATA: 'What WordPress.com knows', SYNC: "The site's own view", LOGS: "The server's logs",
};

/** parts sorts findings into the sections of the way of a call: [[title, findings]]. */
export function parts(findings) {
  const by = new Map();
  for (const f of findings) {
    const title = sections[f.section.replace('DIAGNOSIS_SECTION_', '')] ?? plain(f.section, 'DIAGNOSIS_SECTION_');
    by.set(title, [...(by.get(title) ?? []), f]);
  }
  return [...by];
}

const certainties = { POSSIBLE: 'possible', LIKELY: 'likely', CERTAIN: 'certain' };

/** certainty returns CAUSE_CERTAINTY_* in a word. */
export const certainty = (name = '') => certainties[name.replace('CAUSE_CERTAINTY_', '')] ?? plain(name, 'CAUSE_CERTAINTY_');

/** progress says in a sentence how far it is. */
export function progress(made) {
  const bad = made.findings.filter((f) => f.verdict === 'FINDING_VERDICT_FAIL').length;
  const last = made.findings.at(-1);
  if (!last) return 'The first step is under way.';
  return `${plural(made.findings.length, 'step')} done, ${bad ? count(bad) : 'none'} failing; the last was ${plain(last.check)}.`;
}
