// What the fields of the list ask the API for.

/** nothing is the filter that restricts nothing, as the address has it. */
export const nothing = { find: '', blog: '', tag: '', state: '', order: '' };

/** asked returns the parameters of GET /v1/sites: what has "://" is a URL, anything else a host. */
export function asked({ find = '', blog = '', tag = '', state = '', order = '' }) {
  const what = find.trim();
  const isURL = what.includes('://');
  return { url: isURL ? what : '', host: isURL ? '' : what, blog_id: blog.trim(), tag: tag.trim(), state, order_by: order };
}

/** touches tells whether events are about sites that are shown; without events some may have been missed. */
export function touches(events, sites = []) {
  if (events.length === 0) return true;
  const shown = new Set(sites.map((s) => s.site_id));
  return events.some((e) => shown.has(e.site?.site_id));
}
