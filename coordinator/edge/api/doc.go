// Package api is the coordinator's public gRPC API: sites, outages, the fleet, and
// the questions of WordPress.com. It reads the store, lays the engine's live view
// over it, and hands edits to both. It decides nothing about a site.
//
// Every coordinator answers for all sites. What is live of a site that another one owns
// is asked of that one, in one BatchGetSites an owner; an edit goes to the owner whole.
// A call that was forwarded is answered here, whoever owns the site: BatchGetSites from
// memory alone, with only what an owner knows, and without the sites it does not watch.
package api
