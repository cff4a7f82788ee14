// Copies the libraries of the cockpit from node_modules to gateway/ui/app/vendor, as a browser
// loads them without a build: bare imports become relative, uPlot's small file an ES module, and
// names of source maps, which are not copied, go. With --check nothing is written: it fails when
// what is there is not what would be.
import { readFileSync, writeFileSync } from 'node:fs';

const from = new URL('node_modules/', import.meta.url);
const to = new URL('../../gateway/ui/app/vendor/', import.meta.url);
const check = process.argv.includes('--check');

const module = (text) => text
  .replaceAll(/from\s*"preact"/g, 'from"./preact.js"')
  .replace(/\n?\/\/# sourceMappingURL=.*\n?$/, '\n');

const files = {
  'preact.js': ['preact/dist/preact.mjs', module],
  'hooks.js': ['preact/hooks/dist/hooks.mjs', module],
  'htm.js': ['htm/dist/htm.mjs', module],
  'uplot.js': ['uplot/dist/uPlot.iife.min.js', (text) => `${module(text).trimEnd()}\nexport default uPlot;\n`],
  'uplot.css': ['uplot/dist/uPlot.min.css', (text) => text],
  'preact.LICENSE': ['preact/LICENSE', (text) => text],
  'htm.LICENSE': ['htm/LICENSE', (text) => text],
  'uplot.LICENSE': ['uplot/LICENSE', (text) => text],
};

let stale = false;
for (const [name, [source, change]] of Object.entries(files)) {
  const text = change(readFileSync(new URL(source, from), 'utf8'));
  if (/\bfrom\s*["'][^."']/.test(text) && name.endsWith('.js')) throw new Error(`${name} imports what is not there`);
  const path = new URL(name, to);
  let old = '';
  try { old = readFileSync(path, 'utf8'); } catch { /* not there yet */ }
  if (old === text) continue;
  stale = true;
  if (check) console.error(`gateway/ui/app/vendor/${name} is not what npm has: run make vendor-ui and commit`);
  else writeFileSync(path, text);
}
process.exit(check && stale ? 1 : 0);
