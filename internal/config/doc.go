// Package config has the configuration files that Jetmon reads: its own, in YAML, and those
// of v1: config.json, veriflier.json, db-config.conf and docker's .env. Parse tells them
// apart by their content.
//
// One table, Keys, says of each of v1's keys what it meant in v1 and what it does here:
// either it sets something, or it has no effect and the table says what to do instead. The
// readers follow the table, and so do `jetmon config explain`, the warnings of a role that
// starts, and docs/v1-keys.md.
//
// The package turns bytes into values. It opens no file, reads no environment and knows no
// flag: it names those that a key sets, and the caller applies them.
package config
