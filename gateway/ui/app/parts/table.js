// Tables, and walking through a list by pages of the API.
import { html, useEffect, useState } from '../lib/html.js';
import { useGet } from '../lib/query.js';
import { query } from '../lib/api.js';
import { Problem, Waiting } from './say.js';

/**
 * Table shows rows. columns are {name, cell(row), class?}; id(row) is what tells rows apart. The
 * first link in a row should have data-row, for the keys j and k.
 */
export const Table = ({ caption, columns, rows, id, class: kind = '' }) => html`
  <div class="scroll" tabindex="0" role="region" aria-label=${caption}>
    <table class=${kind}>
      <caption class="hidden">${caption}</caption>
      <thead><tr>${columns.map((c) => html`<th scope="col" class=${c.class ?? ''}>${c.name}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`
        <tr key=${id(row)}>${columns.map((c) => html`<td class=${c.class ?? ''} data-name=${c.name}>${c.cell(row)}</td>`)}</tr>`)}
      </tbody>
    </table>
  </div>`;

/**
 * usePages reads a list page by page and holds one at a time, whatever the length of the list. It
 * returns {data, error, refresh, stale, page, next, previous}; next and previous are null where there is none.
 */
export function usePages(path, { params = {}, every = 0, size = 50 } = {}) {
  const list = path === null ? '' : path + query(params);
  const [walk, setWalk] = useState({ list, tokens: [''] });
  const tokens = walk.list === list ? walk.tokens : [''];
  useEffect(() => { if (walk.list !== list) setWalk({ list, tokens: [''] }); }, [list]);
  const got = useGet(path, { params: { ...params, page_size: size, page_token: tokens.at(-1) }, every, keep: true });
  const following = got.stale ? '' : got.data?.next_page_token;
  return {
    ...got,
    page: tokens.length,
    next: following ? () => setWalk({ list, tokens: [...tokens, following] }) : null,
    previous: tokens.length > 1 ? () => setWalk({ list, tokens: tokens.slice(0, -1) }) : null,
  };
}

/** Pager walks through pages. */
export const Pager = ({ pages }) => (!pages.next && !pages.previous ? null : html`
  <nav class="pager" aria-label="Pages">
    <button type="button" disabled=${!pages.previous} onClick=${() => pages.previous?.()}>Previous</button>
    <span>Page ${pages.page}</span>
    <button type="button" disabled=${!pages.next} onClick=${() => pages.next?.()}>Next</button>
  </nav>`);

/** List shows the page of usePages: rows(data) are its rows, and empty what to show when there are none. */
export function List({ pages, rows, empty, ...table }) {
  if (pages.data === undefined) return pages.error ? html`<${Problem} error=${pages.error} retry=${pages.refresh} />` : html`<${Waiting} />`;
  const shown = rows(pages.data) ?? [];
  return html`
    <${Problem} error=${pages.error} retry=${pages.refresh} />
    ${shown.length === 0 && !pages.previous ? empty : html`<${Table} rows=${shown} ...${table} />`}
    <${Pager} pages=${pages} />`;
}
