// What somebody means who names a site.

/**
 * asked returns {id} for a number, else {params} by which the API finds sites: a URL is looked for as it is,
 * anything else as a host. Without search, only numbers are understood.
 */
export function asked(text, search = true) {
  const said = text.trim();
  if (/^\d{1,19}$/.test(said) || !search) return { id: said.replace(/\D/g, '') };
  if (/^https?:\/\//i.test(said)) return { params: { url: said } };
  return { params: { host: said.replace(/[/?#].*$/, '').toLowerCase() } };
}
