// Where the time of a check went, as stretches one after the other.
import { count, decimal, millis } from '../../lib/numbers.js';

const parts = [['dns', 'name look-up', 'dns_micros'], ['connect', 'connecting', 'connect_micros'], ['tls', 'TLS', 'tls_micros'], ['wait', 'waiting', 'first_byte_micros']];

/**
 * waterfall returns {parts, total} of the timings of an observation in µs: parts are {key, name, from, took};
 * what is left of the total after the known parts is "rest". Without timings it is null.
 */
export function waterfall(timings) {
  if (!timings) return null;
  const out = [];
  let at = 0;
  for (const [key, name, field] of parts) {
    const took = Number(timings[field] ?? 0);
    if (took > 0) out.push({ key, name, from: at, took });
    at += took;
  }
  const total = Math.max(at, Number(timings.total_micros ?? 0));
  if (total > at) out.push({ key: 'rest', name: 'reading and all else', from: at, took: total - at });
  return { parts: out, total };
}

/** longest is the longest total of several, which all are drawn to the scale of. */
export const longest = (falls) => Math.max(1, ...falls.filter(Boolean).map((f) => f.total));

/** micros writes microseconds: "57 µs", "1.5 ms", "350 ms". */
export function micros(us) {
  if (us < 1000) return `${count(us)} µs`;
  return us < 10_000 ? `${decimal(us / 1000)} ms` : millis(us / 1000);
}
