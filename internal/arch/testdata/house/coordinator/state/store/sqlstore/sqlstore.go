// Package sqlstore speaks SQL, as it may.
package sqlstore

import _ "database/sql"
