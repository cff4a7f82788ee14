// Package api is the coordinator's public gRPC API: sites, outages, the fleet, and
// the questions of WordPress.com. It reads the store, lays the engine's live view
// over it, and hands edits to both. It decides nothing about a site.
package api
