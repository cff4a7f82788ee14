// Package email tells people of events by mail, through one server that the operator has
// configured. A mail's Message-ID comes from the key of the event, so that a repeated mail is
// recognized; the mails about one outage form a thread.
package email

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	mail "github.com/wneessen/go-mail"

	"github.com/Automattic/jetmon/coordinator/edge/channel"
	"github.com/Automattic/jetmon/coordinator/edge/channel/words"
	"github.com/Automattic/jetmon/coordinator/rules/event"
	"github.com/Automattic/jetmon/coordinator/rules/subscription"
)

const (
	// timeout bounds one attempt.
	timeout = 20 * time.Second
	// maxSubjectBytes bounds the subject, before it is encoded.
	maxSubjectBytes = 200
)

// Channel is the receivers of mails.
type Channel struct {
	server Server
	to     []string
}

// New makes the channel of a subscription.
func New(s subscription.Subscription, server Server) (*Channel, error) {
	if err := server.Validate(); err != nil {
		return nil, &subscription.EndpointError{Field: "kind", Err: fmt.Errorf("cannot be EMAIL here: %w", err)}
	}
	if len(s.To) == 0 {
		return nil, &subscription.EndpointError{Field: "mail_to", Err: errors.New("must be given")}
	}
	for i, to := range s.To {
		if err := CheckAddress(to); err != nil {
			return nil, &subscription.EndpointError{Field: fmt.Sprintf("mail_to[%d]", i), Err: err}
		}
	}
	return &Channel{server: server, to: s.To}, nil
}

// Close implements channel.Channel. There are no idle connections.
func (c *Channel) Close() {}

// Tell implements channel.Channel. The mail is accepted when the server has taken its text.
func (c *Channel) Tell(ctx context.Context, d channel.Delivery) channel.Answer {
	m, err := c.message(d)
	if err != nil {
		return channel.Answer{Verdict: channel.Hopeless, Text: c.text(err)}
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err = c.send(ctx, m)
	if ctx.Err() != nil && err != nil {
		err = errors.New("no answer in time")
	}
	if m.IsDelivered() { // whatever came after that
		return channel.Answer{Verdict: channel.Accepted, Text: channel.Text(m.ServerResponse(), c.server.Password)}
	}
	if err == nil {
		err = errors.New("the mail was not taken")
	}
	return channel.Answer{Verdict: verdictOf(err), Text: c.text(err)}
}

func (c *Channel) text(err error) string { return channel.Text(err.Error(), c.server.Password) }

// send makes a connection for one mail, and leaves nothing of it behind.
func (c *Channel) send(ctx context.Context, m *mail.Msg) error {
	host, port, err := c.server.hostPort()
	if err != nil {
		return err
	}
	settings := &tls.Config{ServerName: host, RootCAs: c.server.Roots, MinVersion: tls.VersionTLS12}
	var conn net.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close()
		}
	}()
	dial := func(dialling context.Context, network, address string) (_ net.Conn, err error) {
		if conn, err = new(net.Dialer).DialContext(dialling, network, address); err != nil {
			return nil, err
		}
		// The library does not look at ctx once there is a connection.
		opened := conn
		context.AfterFunc(ctx, func() { _ = opened.Close() })
		if c.server.TLS != Implicit {
			return conn, nil
		}
		secure := tls.Client(conn, settings)
		return secure, secure.HandshakeContext(dialling)
	}
	options := append(c.server.policy(), mail.WithPort(port), mail.WithTimeout(timeout), mail.WithTLSConfig(settings), mail.WithoutNoop(),
		mail.WithDialContextFunc(dial))
	if c.server.Hello != "" {
		options = append(options, mail.WithHELO(c.server.Hello))
	}
	if c.server.User != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.server.User), mail.WithPassword(c.server.Password))
	}
	client, err := mail.NewClient(host, options...)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return err
	}
	err = client.SendWithSMTPClient(session, m)
	_ = client.CloseWithSMTPClient(session)
	return err
}

// The answers of a server to a login that it refuses (RFC 4954).
const (
	loginRequired   = 530
	loginTooWeak    = 534
	loginRefused    = 535
	loginNotInClear = 538
	permanent       = 500
)

// verdictOf says what a failure means: a login or a sender that is refused is about all mails, a
// receiver or a text about this one.
func verdictOf(err error) channel.Verdict {
	if e, ok := errors.AsType[*mail.SendError](err); ok {
		switch code := e.ErrorCode(); {
		case code == loginRequired || e.Reason == mail.ErrSMTPMailFrom && code >= permanent:
			return channel.Refused
		case code >= permanent:
			return channel.Hopeless
		}
		return channel.Failed
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok {
		switch e.Code {
		case loginRequired, loginTooWeak, loginRefused, loginNotInClear:
			return channel.Refused
		}
	}
	return channel.Failed
}

// message writes the mail of a delivery.
func (c *Channel) message(d channel.Delivery) (*mail.Msg, error) {
	m := mail.NewMsg()
	if err := m.From(c.server.From); err != nil {
		return nil, fmt.Errorf("the sender: %w", err)
	}
	if err := m.To(c.to...); err != nil {
		return nil, fmt.Errorf("the receivers: %w", err)
	}
	_, domain, _ := strings.Cut(c.server.From, "@")
	m.SetMessageIDWithValue(d.Key + "@" + domain)
	if thread := threadOf(&d.Event); thread != "" {
		root := "<" + thread + "@" + domain + ">"
		m.SetGenHeader(mail.HeaderReferences, root)
		m.SetGenHeader(mail.HeaderInReplyTo, root)
	}
	m.SetDateWithValue(d.Event.Time.Time)
	m.Subject(subject(&d.Event))
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Jetmon-Event", d.Key)
	m.SetUserAgent("jetmon")
	m.SetBodyString(mail.TypeTextPlain, body(d))
	return m, nil
}

// threadOf names what the mails of a thread are about; empty for a mail on its own.
func threadOf(e *event.Event) string {
	switch {
	case e.Status != nil && e.Status.OutageID != 0:
		return "outage-" + strconv.FormatInt(e.Status.OutageID, 10)
	case e.Incident != nil:
		return "incident-" + strconv.FormatInt(e.Incident.ID, 10)
	case e.Advisory != nil && e.Site != nil:
		return fmt.Sprintf("advisory-%d-%s-%d", e.Site.ID, strings.ToLower(e.Advisory.Advisory), e.Advisory.Open.UnixMilli())
	}
	return ""
}

// subject is one line, whatever the URL of a site is made of.
func subject(e *event.Event) string {
	text := channel.Text(words.Title(e))
	if len(text) > maxSubjectBytes {
		text = strings.ToValidUTF8(text[:maxSubjectBytes], "") + "..."
	}
	return "[Jetmon] " + text
}

func body(d channel.Delivery) string {
	var b strings.Builder
	b.WriteString(channel.Text(words.Title(&d.Event)) + ".\n\n")
	for _, f := range words.Facts(&d.Event) {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, channel.Text(f.Value))
	}
	b.WriteString("\nEvent " + d.Key + ". Jetmon sends such mails to those whom a subscription names.\n")
	return b.String()
}
