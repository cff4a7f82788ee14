//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// The mix resembles the sites that checkers see. It is the same in every run.
const (
	mixSeed = 14
	// mixLeaves is the number of leaf certificates, and mixIssuers that of their issuers.
	mixLeaves, mixIssuers = 500, 4

	// These are shares of the sites in thousandths. A quarter each of the failing sites
	// refuses connections, never answers, answers 503, has a certificate that ended. Half of
	// the redirects go to https, the others to www under https. All other sites are https.
	mixFailing, mixRedirects, mixDualStack = 20, 150, 100

	// A site answers after mixQuick to mixSlow, with a head of mixSmall to mixLarge bytes. A
	// redirect comes after mixQuick.
	mixQuick, mixSlow  = 20 * time.Millisecond, 800 * time.Millisecond
	mixSmall, mixLarge = 512, 3 << 10
)

// The domains under which the target's name server knows every name.
const (
	mixDomain   = ".mix.test"   // s7.c3, www7.c3: site 7, with leaf certificate 3
	plainDomain = ".plain.test" // n7.h3: the plain HTTP target on address 3
)

// behaviour is what a site of the mix does.
type behaviour uint8

const (
	direct behaviour = iota
	toHTTPS
	toWWW
	refusing
	silent
	broken
	ended
)

func (b behaviour) fails() bool     { return b >= refusing }
func (b behaviour) redirects() bool { return b == toHTTPS || b == toWWW }

// mixSite is one site of the mix.
type mixSite struct {
	number int
	does   behaviour
	ipv6   bool // it has an IPv6 address, too
	wait   time.Duration
	head   int
}

// newMix makes the first n sites of the mix.
func newMix(n int) []mixSite {
	random := rand.New(rand.NewPCG(mixSeed, 0))
	sites := make([]mixSite, n)
	for i := range sites {
		s := &sites[i]
		s.number = i
		switch share := random.IntN(1000); {
		case share < mixFailing:
			s.does = refusing + behaviour(random.IntN(4))
		case share < mixFailing+mixRedirects:
			s.does = toHTTPS + behaviour(random.IntN(2))
		}
		s.ipv6 = random.IntN(1000) < mixDualStack
		s.wait = mixQuick + time.Duration(random.Int64N(int64(mixSlow-mixQuick)))
		s.head = mixSmall + random.IntN(mixLarge-mixSmall)
	}
	return sites
}

func (s mixSite) host() string {
	return fmt.Sprintf("s%d.c%d%s", s.number, s.number%mixLeaves, mixDomain)
}
func (s mixSite) www() string {
	return fmt.Sprintf("www%d.c%d%s", s.number, s.number%mixLeaves, mixDomain)
}

// mixPorts are the ports of the mix, the same on all addresses.
type mixPorts struct{ Plain, TLS, Closed int }

// url returns the URL that a check of the site begins with.
func (s mixSite) url(at mixPorts, path string) string {
	switch {
	case s.does.redirects():
		return fmt.Sprintf("http://%s:%d%s", s.host(), at.Plain, path)
	case s.does == refusing:
		return fmt.Sprintf("https://%s:%d%s", s.host(), at.Closed, path)
	}
	return fmt.Sprintf("https://%s:%d%s", s.host(), at.TLS, path)
}

// location returns the URL that the site redirects to.
func (s mixSite) location(at mixPorts, path string) string {
	host := s.host()
	if s.does == toWWW {
		host = s.www()
	}
	return fmt.Sprintf("https://%s:%d%s", host, at.TLS, path)
}

// readMixHost returns the numbers of site and certificate in a host name of the mix.
func readMixHost(host string) (site, leaf int, ok bool) {
	rest, ok := strings.CutSuffix(host, mixDomain)
	if !ok {
		return 0, 0, false
	}
	first, second, ok := strings.Cut(rest, ".")
	if !ok {
		return 0, 0, false
	}
	site, err := strconv.Atoi(strings.TrimLeft(first, "sw"))
	leaf, err2 := strconv.Atoi(strings.TrimPrefix(second, "c"))
	return site, leaf, err == nil && err2 == nil && site >= 0 && leaf >= 0 && leaf < mixLeaves
}

// readPlainHost returns the number of the address in a host name of the plain target.
func readPlainHost(host string) (address int, ok bool) {
	rest, ok := strings.CutSuffix(host, plainDomain)
	if !ok {
		return 0, false
	}
	_, h, _ := strings.Cut(rest, ".h")
	address, err := strconv.Atoi(h)
	return address, err == nil && address >= 0 && address < addresses
}
