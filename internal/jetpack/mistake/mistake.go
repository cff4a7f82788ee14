package mistake

import (
	"net/url"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
	"github.com/Automattic/jetmon/internal/jetpack/signature"
)

// Mistake is how a site misunderstands calls. The zero value misunderstands nothing.
type Mistake struct {
	// Host and Port are those by which the site believes to be called; zero ones are the
	// call's.
	Host string
	Port int
	// Strip is the beginning of the path that something in front removes, Add what it puts
	// there.
	Strip, Add string
	// Query is what something in front adds to the query.
	Query string
	// Ahead is how far the site's clock is ahead.
	Ahead time.Duration
	// Causes are what a call proves that is accepted when it is signed like this.
	Causes []cause.Cause
	// Says is the mistake in a few words, as "port 8080".
	Says string
}

// Sign signs a call as the site believes to get it. Now is the right time.
func (m Mistake) Sign(token signature.Credential, c signature.Call, now time.Time) (string, error) {
	c.Time = now.Add(m.Ahead).Round(time.Second)
	c.As = signature.As{Host: m.Host, Port: m.Port, Query: m.Query}
	if m.Strip != "" || m.Add != "" {
		if u, err := url.Parse(c.URL); err == nil {
			if rest, ok := strings.CutPrefix(u.EscapedPath(), m.Strip); ok {
				c.As.Path = m.Add + rest
			}
		}
	}
	return token.SignQuery(c)
}

// and joins two independent mistakes.
func (m Mistake) and(o Mistake) Mistake {
	both := m
	if o.Host != "" {
		both.Host = o.Host
	}
	if o.Port != 0 {
		both.Port = o.Port
	}
	if o.Strip != "" || o.Add != "" {
		both.Strip, both.Add = o.Strip, o.Add
	}
	if o.Query != "" {
		both.Query = o.Query
	}
	both.Ahead += o.Ahead
	both.Causes = append(append([]cause.Cause(nil), m.Causes...), o.Causes...)
	both.Says = m.Says + " and " + o.Says
	return both
}
