// Package store speaks SQL and protobuf where it must not.
package store

import (
	_ "database/sql"

	_ "github.com/Automattic/jetmon/gen/api"
	_ "github.com/go-sql-driver/mysql"
)
