package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// member is one veriflier of a coordinator's panel.
type member struct{ Name, Region, Addr, Token string }

// UnmarshalText reads name=eu1,region=eu,addr=eu1.example.org:7801.
func (m *member) UnmarshalText(text []byte) error {
	*m = member{}
	for part := range strings.SplitSeq(string(text), ",") {
		key, value, ok := strings.Cut(part, "=")
		switch {
		case !ok:
			return fmt.Errorf("%q: want name=NAME,region=REGION,addr=HOST:PORT", text)
		case key == "name":
			m.Name = value
		case key == "region":
			m.Region = value
		case key == "addr":
			m.Addr = value
		default:
			return fmt.Errorf("%q: there is no %q, only name, region and addr", text, key)
		}
	}
	if err := m.validate(); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	return nil
}

func (m *member) validate() error {
	switch {
	case m.Name == "":
		return errors.New("name is missing")
	case m.Addr == "":
		return errors.New("addr is missing")
	}
	if m.Region == "" {
		return errors.New("region is missing")
	}
	return checkAddr(m.Addr, 1)
}

// checkAddr checks that addr is HOST:PORT with a port from lowest to 65535.
func checkAddr(addr string, lowest uint64) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("%q is not HOST:PORT", addr)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n < lowest {
		return fmt.Errorf("%q: port must be from %d to 65535, is %q", addr, lowest, port)
	}
	return nil
}
