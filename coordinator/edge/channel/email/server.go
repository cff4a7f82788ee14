package email

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strconv"

	smtp "github.com/wneessen/go-mail"
)

// TLS says how the connection to the mail server is protected.
type TLS string

// The protections.
const (
	// StartTLS begins in clear and requires STARTTLS before anything is said.
	StartTLS TLS = "starttls"
	// Implicit is TLS from the first byte.
	Implicit TLS = "tls"
	// None sends in clear, and no password: for a server on the same machine.
	None TLS = "none"
)

// Server is the mail server through which all mails go. Its zero value is none: then there are
// no mails.
type Server struct {
	// Address is HOST:PORT.
	Address string
	TLS     TLS
	// Roots are the authorities that are trusted; nil means the system's.
	Roots *x509.CertPool
	// User and Password, optional, log in.
	User, Password string
	// From is the address of the sender, Hello the name that the server is greeted with; empty
	// means the host's.
	From, Hello string
}

// Validate refuses a server that cannot be used.
func (s Server) Validate() error {
	if s.Address == "" {
		return errors.New("no mail server is configured")
	}
	if _, _, err := s.hostPort(); err != nil {
		return err
	}
	switch s.TLS {
	case StartTLS, Implicit, None:
	default:
		return fmt.Errorf("the protection %q is none of starttls, tls and none", s.TLS)
	}
	if s.TLS == None && s.Password != "" {
		return errors.New("the password would be sent in clear: use starttls or tls")
	}
	if (s.User == "") != (s.Password == "") {
		return errors.New("a user needs a password, and a password a user")
	}
	if err := CheckAddress(s.From); err != nil {
		return fmt.Errorf("the sender %w", err)
	}
	return nil
}

func (s Server) hostPort() (string, int, error) {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil || host == "" {
		return "", 0, fmt.Errorf("the mail server %q is not HOST:PORT", s.Address)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("the mail server %q has no valid port", s.Address)
	}
	return host, int(n), nil
}

// maxAddressBytes bounds an address (RFC 5321).
const maxAddressBytes = 254

// CheckAddress refuses what is not a plain address, as ops@example.com.
func CheckAddress(text string) error {
	parsed, err := mail.ParseAddress(text)
	switch {
	case len(text) > maxAddressBytes:
		return fmt.Errorf("must be at most %d bytes", maxAddressBytes)
	case err != nil || parsed.Address != text:
		return errors.New("must be a plain address, as ops@example.com")
	}
	for _, r := range text {
		if r <= ' ' || r > '~' {
			return errors.New("must be ASCII without spaces")
		}
	}
	return nil
}

// policy returns the options of the library for s.TLS.
func (s Server) policy() []smtp.Option {
	switch s.TLS {
	case Implicit:
		return []smtp.Option{smtp.WithSSL()}
	case None:
		return []smtp.Option{smtp.WithTLSPolicy(smtp.NoTLS)}
	default:
		return []smtp.Option{smtp.WithTLSPolicy(smtp.TLSMandatory)}
	}
}
