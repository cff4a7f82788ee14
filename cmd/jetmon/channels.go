package main

import (
	"bufio"
	"crypto/x509"
	"errors"
	"io"
	"net/netip"
	"os"

	"github.com/Automattic/jetmon/coordinator"
	"github.com/Automattic/jetmon/coordinator/edge/channel/email"
)

// channelFlags configure how subscriptions are told.
type channelFlags struct {
	WebhooksAllowPrivate bool             `name:"webhooks-allow-private" help:"Let subscriptions lead to private, loopback and other special addresses, except the metadata services of clouds, and send secrets over http. For development only."`
	WebhooksAllow        []netip.AddrPort `name:"webhooks-allow" sep:"," placeholder:"IP:PORT" help:"Let subscriptions lead to this special address (repeatable), as that of an Alertmanager in the same network."`
	WebhooksCA           string           `name:"webhooks-ca" placeholder:"FILE" help:"Trust also this CA (PEM) for the endpoints of subscriptions, beside the system's."`
	SMTPServer           string           `name:"smtp-server" placeholder:"HOST:PORT" help:"Mail server of the subscriptions by mail; without it there are none."`
	SMTPTLS              string           `name:"smtp-tls" default:"starttls" enum:"starttls,tls,none" help:"How the connection to --smtp-server is protected: starttls (required of the server), tls from the first byte, or none."`
	SMTPCA               string           `name:"smtp-ca" placeholder:"FILE" help:"Trust only this CA (PEM) for the mail server's certificate; by default the system's."`
	SMTPUser             string           `name:"smtp-user" placeholder:"NAME" help:"User to log in to the mail server."`
	SMTPPasswordFile     string           `name:"smtp-password-file" placeholder:"FILE" help:"File whose first line is the password of --smtp-user."`
	SMTPFrom             string           `name:"smtp-from" placeholder:"ADDRESS" help:"Sender of the mails, as jetmon@example.com."`
	SMTPHello            string           `name:"smtp-hello" placeholder:"NAME" help:"Name with which the mail server is greeted; the host name by default."`
}

// apply completes the options.
func (f channelFlags) apply(o *coordinator.Options) error {
	o.Channels.Post.AllowPrivate, o.Channels.Post.Allowed = f.WebhooksAllowPrivate, f.WebhooksAllow
	if f.WebhooksCA != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return usagef("--webhooks-ca: the system's authorities: %w", err)
		}
		if err := addCA(pool, f.WebhooksCA); err != nil {
			return usagef("--webhooks-ca: %w", err)
		}
		o.Channels.Post.Roots = pool
	}
	if f.SMTPServer == "" {
		if f.SMTPUser+f.SMTPPasswordFile+f.SMTPFrom+f.SMTPCA+f.SMTPHello != "" {
			return usagef("--smtp-user, --smtp-password-file, --smtp-from, --smtp-ca and --smtp-hello need --smtp-server")
		}
		return nil
	}
	server := email.Server{Address: f.SMTPServer, TLS: email.TLS(f.SMTPTLS), User: f.SMTPUser, From: f.SMTPFrom, Hello: f.SMTPHello}
	if f.SMTPPasswordFile != "" {
		password, err := readSecret(f.SMTPPasswordFile, firstLine)
		if err != nil {
			return usagef("--smtp-password-file: %w", err)
		}
		server.Password = password
	}
	if f.SMTPCA != "" {
		server.Roots = x509.NewCertPool()
		if err := addCA(server.Roots, f.SMTPCA); err != nil {
			return usagef("--smtp-ca: %w", err)
		}
	}
	if err := server.Validate(); err != nil {
		return usagef("--smtp-server: %w", err)
	}
	o.Channels.Mail = server
	return nil
}

// firstLine reads a password, which may be any text of one line.
func firstLine(r io.Reader) (string, error) {
	lines := bufio.NewScanner(r)
	if !lines.Scan() || lines.Text() == "" {
		return "", errors.Join(lines.Err(), errors.New("its first line is empty"))
	}
	return lines.Text(), nil
}

// addCA adds the authorities of a PEM file.
func addCA(pool *x509.CertPool, path string) error {
	pem, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !pool.AppendCertsFromPEM(pem) {
		return errors.New(path + " holds no PEM certificate")
	}
	return nil
}
