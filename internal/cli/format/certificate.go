package format

import (
	"cmp"
	"io"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/certs"
)

// certificateJSON is the JSON of a certificate.
type certificateJSON struct {
	Authority   bool      `json:"authority"`
	TrustDomain string    `json:"trust_domain,omitempty"`
	Role        string    `json:"role,omitempty"`
	Name        string    `json:"name,omitempty"`
	NoIdentity  string    `json:"no_identity,omitempty"`
	Hosts       []string  `json:"hosts"`
	Usages      []string  `json:"usages"`
	Issuer      string    `json:"issuer"`
	Serial      string    `json:"serial"`
	SHA256      string    `json:"sha256"`
	FromTime    time.Time `json:"from_time"`
	UntilTime   time.Time `json:"until_time"`
	State       string    `json:"state"`
}

// Certificates writes what is in certificates, as they stand now. In JSON it writes a list.
func Certificates(w io.Writer, all []certs.Description, now time.Time, asJSON bool) error {
	if asJSON {
		list := make([]certificateJSON, len(all))
		for i, d := range all {
			list[i] = certificateJSON{
				Authority: d.Authority, TrustDomain: d.Domain, Role: string(d.Role), Name: d.Name, NoIdentity: d.Odd,
				Hosts: append([]string{}, d.Hosts...), Usages: append([]string{}, d.Usages...), Issuer: d.Issuer, Serial: d.Serial, SHA256: d.SHA256,
				FromTime: d.From.UTC(), UntilTime: d.Until.UTC(), State: d.State(now),
			}
		}
		return value(w, list)
	}
	return write(w, func(p *page) {
		for i, d := range all {
			if i > 0 {
				p.line("")
			}
			p.certificate(d, now)
		}
	})
}

func (p *page) certificate(d certs.Description, now time.Time) {
	switch {
	case d.Authority:
		p.line("authority\t%s", d.Issuer)
		p.line("trust domain\t%s", cmp.Or(d.Domain, "none: jetmon certs init did not make it"))
	case d.Odd != "":
		p.line("identity\tnone: %s", d.Odd)
	default:
		p.line("role\t%s", d.Role)
		p.line("name\t%s", d.Name)
		p.line("trust domain\t%s", d.Domain)
	}
	if !d.Authority {
		p.line("hosts\t%s", cmp.Or(strings.Join(d.Hosts, ", "), "none: it only dials"))
		p.line("good as\t%s", cmp.Or(strings.Join(d.Usages, " and "), "anything"))
		p.line("issuer\t%s", d.Issuer)
	}
	p.line("from\t%s", d.From.Local().Format(momentLayout))
	p.line("until\t%s (%s)", d.Until.Local().Format(momentLayout), d.State(now))
	p.line("serial\t%s", d.Serial)
	p.line("sha256\t%s", d.SHA256)
}
