package main

import (
	"cmp"
	"path/filepath"
)

// certsFlag names the folder of a node's certificates, which stands for all flags that name
// its files one by one.
type certsFlag struct {
	Certs string `placeholder:"DIR" help:"Folder with ca.crt and this node's NAME.crt and NAME.key (or node.crt and node.key), as jetmon certs makes them: this role proves itself with them and asks others for theirs. The flags of single files take precedence."`
}

// fill sets the flags of single files that are not set. name is the node's, the host name by
// default.
func (f certsFlag) fill(name string, serve *tlsFlags, dials ...*dialFlags) error {
	if f.Certs == "" {
		return nil
	}
	name, err := nodeName(name)
	if err != nil {
		return err
	}
	in := func(file string) string { return filepath.Join(f.Certs, file) }
	if !exists(in(name+".crt")) && exists(in("node.crt")) {
		name = "node"
	}
	ca, cert, key := in("ca.crt"), in(name+".crt"), in(name+".key")
	if serve != nil && serve.TLSCert == "" && serve.TLSKey == "" {
		serve.TLSCert, serve.TLSKey = cert, key
		serve.TLSClientCA = cmp.Or(serve.TLSClientCA, ca)
	}
	for _, dial := range dials {
		dial.TLSCA = cmp.Or(dial.TLSCA, ca)
		if dial.TLSCert == "" && dial.TLSKey == "" {
			dial.TLSCert, dial.TLSKey = cert, key
		}
	}
	return nil
}

// AfterApply has --certs stand for the flags of single files.
func (c *coordinatorCommand) AfterApply() error {
	return c.fill(c.Node, &c.tlsFlags, &c.VeriflierDial, &c.PeerDial)
}

// AfterApply has --certs stand for the flags of single files.
func (c *checkerCommand) AfterApply() error { return c.fill(c.Node, nil, &c.CoordinatorDial) }

// AfterApply has --certs stand for the flags of single files.
func (c *veriflierCommand) AfterApply() error { return c.fill(c.Name, &c.tlsFlags) }

// AfterApply has --certs stand for the flags of single files by which the gateway dials. REST
// has TLS by --tls-cert only: its callers need not trust the authority of the fleet.
func (c *gatewayCommand) AfterApply() error { return c.fill(c.Name, nil, &c.CoordinatorDial) }
