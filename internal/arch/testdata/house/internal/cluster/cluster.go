// Package cluster may import roles.
package cluster

import _ "github.com/Automattic/jetmon/checker"
