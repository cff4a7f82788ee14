// Package api serves the coordinator's public gRPC API: sites, outages, the fleet,
// diagnoses, and WordPress.com's own service. It combines the stored rows with the engine's
// live view, and passes edits to both. It decides nothing about a site.
//
// Every coordinator answers for all sites. It fetches the live state of a site that a peer
// owns from that peer, by one BatchGetSites per owner; it forwards an edit to the owner as a
// whole. A forwarded call is answered here whoever owns the site: BatchGetSites from memory
// alone, with only the live state, and without the sites that the engine does not watch.
package api
