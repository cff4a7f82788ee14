package gateway

import (
	apipb "github.com/Automattic/jetmon/gen/api"
)

// kind is of the generated package.
type kind = apipb.Kind
