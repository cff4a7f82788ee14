package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/Automattic/jetmon/internal/certs"
	"github.com/Automattic/jetmon/internal/cli/format"
)

// certsCommand is `jetmon certs`.
type certsCommand struct {
	Init  initCertsCommand  `cmd:"" help:"Make a certificate authority: ca.crt, which every role gets, and ca.key, which stays where it is."`
	Issue issueCertsCommand `cmd:"" help:"Make a certificate and its key for a role: NAME.crt and NAME.key."`
	Show  showCertsCommand  `cmd:"" help:"Print what the certificates in a file prove, for which hosts and until when."`
}

// initCertsCommand is `jetmon certs init`.
type initCertsCommand struct {
	Dir         string `default:"certs" placeholder:"DIR" help:"Folder of the authority; it is made if it is not there."`
	TrustDomain string `default:"jetmon" placeholder:"NAME" help:"Trust domain of the identities: spiffe://NAME/ROLE/NODE. The authority records it."`
}

// Run makes the authority.
func (c *initCertsCommand) Run(p *program) error {
	a, err := certs.Init(c.Dir, c.TrustDomain, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Out, "%s: the authority of spiffe://%s, until %s. Every role gets this file.\n%s: its key. Keep it here: who has it can be any role.\n",
		a.File(), a.Domain(), a.Certificate().NotAfter.UTC().Format(time.DateOnly), a.KeyFile())
	return err
}

// issueCertsCommand is `jetmon certs issue`.
type issueCertsCommand struct {
	Dir     string   `default:"certs" placeholder:"DIR" help:"Folder of the authority, as given to jetmon certs init."`
	Role    string   `required:"" placeholder:"ROLE" help:"What the certificate proves: coordinator, checker, veriflier, gateway, or caller (a person or tool that calls Verify on a veriflier)."`
	Name    string   `required:"" placeholder:"NAME" help:"Name of the node, as its --node or --name says it, or of the caller."`
	Host    []string `sep:"," placeholder:"HOST|IP" help:"Host name or address by which clients dial this server (repeatable). Servers need one: coordinator, veriflier, gateway."`
	For     age      `default:"90d" placeholder:"TIME" help:"How long the certificate lives."`
	Replace bool     `help:"Overwrite the certificate and the key that this name and role have; processes that use them take the new ones within a minute."`
}

// Run issues the certificate.
func (c *issueCertsCommand) Run(p *program) error {
	request := certs.Request{Role: c.Role, Name: c.Name, Hosts: c.Host, Life: time.Duration(c.For), Replace: c.Replace}
	if err := request.Validate(); err != nil {
		return usageError{err}
	}
	if request.Life == 0 { // which stands for the default in a request
		return usagef("--for: must be at least %s", certs.LeastLife)
	}
	a, err := certs.Open(c.Dir)
	if err != nil {
		return err
	}
	pair, err := a.Issue(request, time.Now())
	if err != nil {
		return err
	}
	d := certs.Describe(pair.Certificate)
	hosts := ""
	if len(d.Hosts) > 0 {
		hosts = " at " + strings.Join(d.Hosts, ", ")
	}
	_, err = fmt.Fprintf(p.Out, "%s, %s: %s %s%s, until %s\n", pair.CertFile, pair.KeyFile, d.Role, d.Name, hosts, d.Until.UTC().Format(time.DateTime))
	return err
}

// showCertsCommand is `jetmon certs show FILE`.
type showCertsCommand struct {
	File string `arg:"" help:"File of certificates (PEM)."`
	JSON bool   `name:"json" help:"Print JSON."`
}

// Run prints the certificates.
func (c *showCertsCommand) Run(p *program) error {
	all, err := certs.ReadFile(c.File)
	if err != nil {
		return err
	}
	descriptions := make([]certs.Description, len(all))
	for i, cert := range all {
		descriptions[i] = certs.Describe(cert)
	}
	return format.Certificates(p.Out, descriptions, time.Now(), c.JSON)
}
