// Package cockpit drives the web application in a real Chromium, before real processes of all four
// roles that ask who calls. It is a module of its own, so that what drives the browser is no
// dependency of Jetmon.
//
// A story opens a tab with a token and says what a person sees: see shared_test.go (the running
// system), tab_test.go (a tab), audit_test.go (axe-core, pictures, policy). All stories share one
// system: each makes its own sites, and tokens of its own.
package cockpit
