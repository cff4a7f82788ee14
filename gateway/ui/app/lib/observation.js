// What a check saw, in words.
import { failure, plain } from './words.js';

const outcomes = {
  UP: { word: 'up', shape: '●', tone: 'good' },
  DOWN: { word: 'fails', shape: '▼', tone: 'bad' },
  UNKNOWN: { word: 'could not tell', shape: '○', tone: 'quiet' },
};

/** outcome returns {word, shape, tone} of what an observation found. */
export const outcome = (o) => outcomes[(o?.outcome ?? '').replace('OUTCOME_', '')] ?? outcomes.UNKNOWN;

const phases = { DNS: 'name look-up', CONNECT: 'connecting', TLS: 'TLS handshake', REQUEST: 'sending the request', RESPONSE: 'waiting for the answer', BODY: 'reading the page', DONE: 'complete' };

/** phase returns PHASE_* in words: how far a check came. */
export const phase = (name = '') => phases[name.replace('PHASE_', '')] ?? '';

/** seen says what an observation saw: "server error (status_500), HTTP 500: the detail". */
export function seen(o) {
  if (!o) return 'nothing is known of it';
  const status = o.http_status ? `HTTP ${o.http_status}` : '';
  if (o.outcome === 'OUTCOME_UP') return [status, o.resolved_address && `from ${o.resolved_address}`].filter(Boolean).join(' ') || 'good';
  const why = o.failure && o.failure !== 'FAILURE_KIND_UNSPECIFIED' ? failure(o.failure) : outcome(o).word;
  const reason = o.reason ? ` (${plain(o.reason)})` : '';
  return [`${why}${reason}`, status, o.detail].filter(Boolean).join(', ');
}
