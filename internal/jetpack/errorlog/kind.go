package errorlog

import (
	"slices"
	"strings"

	"github.com/Automattic/jetmon/internal/jetpack/cause"
)

// Kind is a known trouble, or KindOther.
type Kind string

// The troubles.
const (
	KindBufferMismatch   Kind = "sync_buffer_mismatch"
	KindSyncQueue        Kind = "sync_queue"
	KindJetpackSigned    Kind = "jetpack_signature"
	KindPHPMemory        Kind = "php_memory"
	KindPHPTime          Kind = "php_time"
	KindPHPFatal         Kind = "php_fatal"
	KindPHPCrash         Kind = "php_crash"
	KindPHPSlow          Kind = "php_slow"
	KindDatabase         Kind = "database"
	KindDiskFull         Kind = "disk_full"
	KindOpenFiles        Kind = "open_files"
	KindHtaccess         Kind = "htaccess"
	KindRedirectLoop     Kind = "internal_redirects"
	KindScriptUnknown    Kind = "primary_script_unknown"
	KindHeaderTooBig     Kind = "upstream_header_too_big"
	KindTemporaryFile    Kind = "response_to_temporary_file"
	KindRequestToFile    Kind = "request_to_temporary_file"
	KindRequestTooLarge  Kind = "request_too_large"
	KindUpstreamTimeout  Kind = "upstream_timeout"
	KindUpstreamDenied   Kind = "upstream_permission"
	KindUpstreamRefused  Kind = "upstream_unavailable"
	KindUpstreamClosed   Kind = "upstream_closed"
	KindMaxChildren      Kind = "php_fpm_max_children"
	KindForbiddenByRule  Kind = "forbidden_by_rule"
	KindRateLimit        Kind = "rate_limit"
	KindModSecurity      Kind = "mod_security"
	KindModSecurityNoted Kind = "mod_security_warning"
	KindPHPStderr        Kind = "php_stderr"
	KindOther            Kind = "other"
)

// trouble describes one kind: the texts that identify it, and the cause that they show.
type trouble struct {
	kind  Kind
	marks []string
	// harmless troubles deserve only a remark.
	harmless bool
	// wide troubles meet every request; of the others, only those of Jetpack's calls matter.
	wide bool
	// cause has no name and no weight of its own; of gives them. apache replaces its line for
	// the host when Apache wrote the entry.
	cause  cause.Cause
	apache string
}

// of returns a trouble's cause in a log that server wrote.
func (t *trouble) of(server Server) cause.Cause {
	c := t.cause
	c.Name = string(t.kind)
	if t.harmless {
		c.Weight = cause.Minor
	}
	if t.apache != "" && server == Apache {
		c.Host = t.apache
	}
	return c
}

// catalogue has the known troubles in the order of recognition, the particular before the
// general; the last is of entries that no mark identifies.
type catalogue struct {
	troubles []trouble
	// marks are by their first byte.
	marks [256][]mark
}

// mark is one text that identifies a trouble, and the trouble's place.
type mark struct {
	text    string
	trouble int
}

func newCatalogue() *catalogue {
	c := &catalogue{troubles: slices.Concat(jetpackTroubles, phpTroubles, ruleTroubles, upstreamTroubles, remarks)}
	for i, t := range c.troubles {
		for _, text := range t.marks {
			c.marks[text[0]] = append(c.marks[text[0]], mark{text, i})
		}
	}
	return c
}

// kindOf returns the first trouble with a mark in the text.
func (c *catalogue) kindOf(text string) *trouble {
	best := len(c.troubles) - 1
	for i := 0; i+1 < len(text); i++ {
		for _, m := range c.marks[text[i]] {
			if m.trouble < best && m.text[1] == text[i+1] && strings.HasPrefix(text[i:], m.text) {
				best = m.trouble
			}
		}
	}
	return &c.troubles[best]
}

// Causes returns every cause that an error log can show.
func Causes() []cause.Cause {
	var out []cause.Cause
	for _, t := range newCatalogue().troubles {
		out = append(out, t.of(Nginx))
		if t.apache != "" {
			out = append(out, t.of(Apache))
		}
	}
	return out
}
