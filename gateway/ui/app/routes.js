// The pages. To add one: a module in pages/ whose default export is its component, and a row here.
import { match } from './lib/router.js';
import { allows } from './lib/session.js';

/**
 * routes: path has its parameters as ":id"; nav is its name in the navigation, absent for a page that
 * others lead to, which is then under one of these; key opens it after "g"; scope is what its calls take.
 */
export const routes = [
  { path: '/ui/fleet', title: 'Fleet', nav: 'Fleet', key: 'f', scope: 'fleet:read', page: () => import('./pages/fleet.js') },
  { path: '/ui/outages', title: 'Outages', nav: 'Outages', key: 'o', scope: 'outages:read', page: () => import('./pages/outages.js') },
  { path: '/ui/outages/:id', title: 'Outage', under: 'Outages', scope: 'outages:read', page: () => import('./pages/outage.js') },
  { path: '/ui/sites', title: 'Sites', nav: 'Sites', key: 's', scope: 'sites:read', page: () => import('./pages/sites.js') },
  { path: '/ui/sites/:id', title: 'Site', under: 'Sites', scope: 'sites:read', page: () => import('./pages/site.js') },
];

/** offered lists the pages of the navigation that a caller may open. */
export const offered = (caller) => routes.filter((r) => r.nav && allows(caller, r.scope));

/** has tells whether there is a page at a path: what is not there is no link. */
export const has = (path) => find(path) !== null;

/** find returns the route of a path with its parameters, or null. */
export function find(path) {
  for (const route of routes) {
    const params = match(route.path, path);
    if (params) return { route, params };
  }
  return null;
}
