// Package store speaks SQL and protobuf where it must not, and knows who asks.
package store

import (
	_ "database/sql"

	_ "github.com/Automattic/jetmon/coordinator/edge/api"
	_ "github.com/Automattic/jetmon/gen/api"
	_ "github.com/go-sql-driver/mysql"
)
