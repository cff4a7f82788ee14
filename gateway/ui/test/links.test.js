// What pages link to: a filter that the other page does not know would show everything.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { none } from '../app/pages/outages/query.js';
import { nothing } from '../app/pages/sites/filter.js';

const app = fileURLToPath(new URL('../app', import.meta.url));
const known = { '/ui/outages': Object.keys(none), '/ui/sites': Object.keys(nothing) };

test('a link to a list has the filters that the list knows', () => {
  const names = readdirSync(app, { recursive: true }).filter((name) => name.endsWith('.js') && !name.startsWith('vendor'));
  const links = names.flatMap((name) => [...readFileSync(join(app, name), 'utf8').matchAll(/"(\/ui\/[a-z]+)\?([^"]+)"/g)]);
  assert.ok(links.length > 1);
  for (const [, path, filters] of links) {
    for (const filter of filters.split('&')) assert.ok(known[path]?.includes(filter.split('=')[0]), `${path}?${filters}`);
  }
});
