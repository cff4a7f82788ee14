// Numbers as people read them.
const grouped = new Intl.NumberFormat('en');
const precise = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

/** count groups a whole number, also a BigInt, or one that came as text: 1,000,000. */
export function count(n) {
  if (n === undefined || n === null || n === '') return '–';
  return grouped.format(typeof n === 'number' ? Math.round(n) : BigInt(n));
}

/** decimal writes a number with at most two decimals. */
export const decimal = (n) => precise.format(n);

/** share writes 0.99996 as "99.99 %": cut and not rounded, so that 100 % means all of it. */
export function share(x) {
  if (x === undefined || x === null || Number.isNaN(x)) return '–';
  const cut = Math.floor(x * 10_000 + 1e-9) / 100;
  return `${cut.toFixed(cut === 100 || cut === 0 ? 0 : 2)} %`;
}

/** plural writes "1 site", "2 sites". */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${Number(n) === 1 ? one : many}`;

/** millis writes milliseconds: "350 ms", "2.5 s". */
export function millis(ms) {
  if (ms === undefined || ms === null) return '–';
  return ms < 1000 ? `${count(ms)} ms` : `${decimal(ms / 1000)} s`;
}
