// The filters of the list of outages, in the address and as the API has them.

/** none is the filter that restricts nothing. */
export const none = { state: '', kind: '', host: '', tag: '', blog: '', site: '', region: '', lasted: '' };

/** isFiltered tells whether a filter restricts anything. */
export const isFiltered = (filter) => Object.keys(none).some((name) => filter[name] !== '');

/** asked returns the parameters of the API. */
export const asked = ({ kind, host, tag, blog, site, region, lasted }) => ({ failure: kind, host: host.trim(), tag: tag.trim(), blog_id: blog, site_id: site, region: region.trim(), min_duration: lasted });

/** fields are the API's names of the filters that have a field. */
export const fields = ['host', 'failure', 'min_duration', 'region', 'tag', 'blog_id'];

/** group puts outages of an incident together, in the order of their first: [{incident, outages}]; the others have none. */
export function group(outages, incidents) {
  const groups = [];
  const byIncident = new Map();
  let single = null;
  for (const outage of outages) {
    const incident = incidents.find((i) => belongs(outage, i));
    let to = incident ? byIncident.get(incident.incident_id) : single;
    if (!to) {
      to = { incident: incident ?? null, outages: [] };
      groups.push(to);
      if (incident) byIncident.set(incident.incident_id, to);
      else single = to;
    }
    to.outages.push(outage);
  }
  return [...groups.filter((g) => g.incident), ...groups.filter((g) => !g.incident)];
}

// An outage belongs to the incident of its site during which it went on. An incident begins when the outage of
// its first site is confirmed, and so after that has begun.
function belongs(outage, incident) {
  if (!incident.sites.has(outage.site_id)) return false;
  const confirmed = Date.parse(outage.confirm_time ?? outage.start_time);
  return (!incident.end_time || confirmed <= Date.parse(incident.end_time)) && (!outage.end_time || Date.parse(outage.end_time) >= Date.parse(incident.start_time));
}

/** lasted returns how long an outage has lasted, in ms. */
export const lasted = (outage, now = Date.now()) => (outage.end_time ? Date.parse(outage.end_time) : now) - Date.parse(outage.start_time);
