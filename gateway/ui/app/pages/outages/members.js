// The sites of incidents, read once.
const newest = 10; // incidents
const perPage = 1000;
const mostPages = 10;

/** latest returns the latest incidents. */
export const latest = async (get) => (await get('/v1/incidents', { params: { page_size: newest } })).incidents;

/**
 * withSites returns the incidents, each with the ids of its sites as a Set; 10,000 at most. Sites join an incident
 * and never leave it: those of one with as many members as among known are not read again.
 */
export const withSites = (incidents, known, get) => Promise.all(incidents.map(async (incident) => {
  const before = known.find((k) => k.incident_id === incident.incident_id);
  return { ...incident, sites: before?.members === incident.members ? before.sites : await sitesOf(incident, get) };
}));

async function sitesOf(incident, get) {
  const sites = new Set();
  for (let page = 0, token = ''; page < mostPages && (page === 0 || token); page++) {
    const { members, next_page_token: next } = await get(`/v1/incidents/${incident.incident_id}/members`, { params: { page_size: perPage, page_token: token } });
    for (const m of members) sites.add(m.site_id);
    token = next;
  }
  return sites;
}
