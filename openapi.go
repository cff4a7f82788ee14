// Package jetmon holds what only the root of the module can embed: the description of
// the REST API, which is generated from the protos. It must hold nothing else.
package jetmon

import _ "embed"

// OpenAPI is the description of the REST API, OpenAPI 3.1 as JSON. It is read-only.
//
//go:embed gen/openapi/jetmon.openapi.json
var OpenAPI []byte
