// Package api speaks to one store, where it must take any.
package api

import _ "github.com/Automattic/jetmon/coordinator/state/store/sqlstore"
