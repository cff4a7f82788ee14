// The latest incidents with their sites, for those who may read them.
import { useCallback, useEffect, useState } from '../../lib/html.js';
import { get } from '../../lib/api.js';
import { can } from '../../lib/session.js';

const latest = 10; // incidents
const mostMembers = 1000;

/** useIncidents returns [incidents, reread]: each has its sites as a Set of ids. Before the first answer there is null. */
export function useIncidents() {
  const [incidents, setIncidents] = useState(can('fleet:read') ? null : []);
  const read = useCallback(async () => {
    if (!can('fleet:read')) return;
    try {
      const { incidents: found } = await get('/v1/incidents', { params: { page_size: latest } });
      setIncidents(await Promise.all(found.map(withSites)));
    } catch { // outages are shown without them; their own reading says what is wrong
      setIncidents((old) => old ?? []);
    }
  }, []);
  useEffect(() => { read(); }, []);
  return [incidents, read];
}

async function withSites(incident) {
  const { members } = await get(`/v1/incidents/${incident.incident_id}/members`, { params: { page_size: mostMembers } });
  return { ...incident, sites: new Set(members.map((m) => m.site_id)) };
}
