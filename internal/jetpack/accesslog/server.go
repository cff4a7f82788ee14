package accesslog

import "bytes"

// Server is the software that wrote a log.
type Server string

// The servers.
const (
	ServerNginx    Server = "nginx"
	ServerApache   Server = "Apache"
	ServerCaddy    Server = "Caddy"
	ServerTraefik  Server = "Traefik"
	ServerBalancer Server = "AWS's load balancer"
	ServerOther    Server = "another server"
)

// serverOf recognises the software that wrote a text line; it is empty for most lines. Only
// nginx has the statuses 444 and 499, and it writes a quote as \x22 where Apache writes \".
func serverOf(e *entry, line []byte) Server {
	if e.status == 499 || e.status == 444 {
		return ServerNginx
	}
	if bytes.IndexByte(line, '\\') < 0 {
		return ""
	}
	switch {
	case bytes.Contains(line, []byte(`\x22`)):
		return ServerNginx
	case bytes.Contains(line, []byte(`\"`)):
		return ServerApache
	}
	return ""
}

// servers counts the lines that show who wrote them.
type servers map[Server]uint64

// result returns the server that most of those lines show, and nothing when they contradict
// one another: a proxy and its backend may write into one file.
func (s servers) result() Server {
	var all, most uint64
	var out Server
	for server, n := range s {
		all += n
		if n > most {
			most, out = n, server
		}
	}
	if most*10 < all*9 {
		return ""
	}
	return out
}
