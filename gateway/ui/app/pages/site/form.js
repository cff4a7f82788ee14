// The settings of a site as the fields of a form, and what was changed in them.
import { seconds } from '../../lib/time.js';

const lines = (list) => (list ?? []).join('\n');

/** fields makes the values of the form, all text but the switches. */
export function fields(site) {
  const s = site.settings ?? {};
  return {
    url: site.url, blog_id: site.blog_id === '0' ? '' : site.blog_id,
    check_interval: String(seconds(site.check_interval) / 60_000 || ''),
    tags: (site.tags ?? []).join(', '), public_badges: site.public_badges ?? false,
    'settings.method': s.method, 'settings.redirect_policy': s.redirect_policy, 'settings.page_check': s.page_check, 'settings.tls_errors': s.tls_errors,
    'settings.slow_after': s.slow_after ? String(seconds(s.slow_after) / 1000) : '',
    'settings.required_texts': lines(s.required_texts), 'settings.forbidden_texts': lines(s.forbidden_texts),
    'settings.headers': lines((s.headers ?? []).map((h) => `${h.name}: ${h.value}`)),
  };
}

const split = (text, by) => text.split(by).map((t) => t.trim()).filter(Boolean);

// What each field is for the API: of what is no number the API says so.
const values = {
  check_interval: (text) => (text.trim() === '' ? null : span(text, 60)),
  blog_id: (text) => text.trim() || '0',
  tags: (text) => split(text, /[,\s]+/),
  'settings.slow_after': (text) => (text.trim() === '' ? null : span(text, 1)),
  'settings.required_texts': (text) => split(text, '\n'),
  'settings.forbidden_texts': (text) => split(text, '\n'),
  'settings.headers': (text) => split(text, '\n').map((line) => {
    const colon = line.indexOf(':');
    return colon < 0 ? { name: line, value: '' } : { name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() };
  }),
};

const span = (text, unit) => (Number.isFinite(Number(text)) ? `${Number((Number(text) * unit).toFixed(3))}s` : text);

/** changes returns the body of a PATCH: what differs from before, and nothing else. null when nothing does. */
export function changes(before, now) {
  const body = {};
  for (const [name, value] of Object.entries(now)) {
    if (value === before[name]) continue;
    const to = values[name]?.(value) ?? (name in values ? null : value);
    const [outer, inner] = name.split('.');
    if (inner === undefined) body[name] = to;
    else body[outer] = { ...body[outer], [inner]: to };
  }
  return Object.keys(body).length > 0 ? body : null;
}

/** names are those of the fields, as the API calls them. */
export const names = Object.keys(fields({ settings: {} }));

/** choices are those of the fields that have some. */
export const choices = {
  'settings.method': [['METHOD_UNSPECIFIED', 'HEAD, then GET (the default)'], ['METHOD_HEAD_THEN_GET', 'HEAD, then GET when that fails'], ['METHOD_HEAD', 'HEAD only'], ['METHOD_GET', 'GET only']],
  'settings.redirect_policy': [['REDIRECT_POLICY_UNSPECIFIED', 'are followed (the default)'], ['REDIRECT_POLICY_FOLLOW', 'are followed'], ['REDIRECT_POLICY_FAIL', 'are a failure']],
  'settings.page_check': [['PAGE_CHECK_UNSPECIFIED', 'now and then (the default)'], ['PAGE_CHECK_NEVER', 'never'], ['PAGE_CHECK_ALWAYS', 'at every check']],
  'settings.tls_errors': [['TLS_ERRORS_UNSPECIFIED', 'as the coordinator is set (the default)'], ['TLS_ERRORS_DOWN', 'mean down'], ['TLS_ERRORS_ADVISE', 'are a remark']],
};
