package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/Automattic/jetmon/internal/certs"
	"github.com/Automattic/jetmon/internal/obs"
)

const (
	// renewalEvery is how often a role looks whether its certificates were renewed.
	renewalEvery = time.Minute
	// warnEvery is how often it repeats that a certificate ends soon.
	warnEvery = 24 * time.Hour
	// maxCertificateBytes bounds what is read of a file of certificates.
	maxCertificateBytes = 1 << 20
)

// What a file of certificates is for: the values of the label use.
const (
	forServer    = "server"
	forClient    = "client"
	forAuthority = "ca"
	forKey       = "" // no certificate, and so without an end
)

// renewal has a role take its certificates again when their files change, and tells when they
// end.
type renewal struct {
	program *program
	process *process
	// apply takes the certificates, with the settings that are in force.
	apply func() error
	ends  *prometheus.GaugeVec
	// taken is the sum of the files that are in use, failure why newer ones are not.
	taken   [sha256.Size]byte
	failure string
	// warned says when each flag's certificate was last warned of.
	warned map[string]time.Time
}

// newRenewal makes the renewal of a role that has just read its certificates.
func newRenewal(p *program, proc *process, apply func() error) *renewal {
	r := &renewal{program: p, process: proc, apply: apply, ends: obs.Register(proc.metrics, prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "jetmon_certificate_expiry_timestamp_seconds",
		Help: "When the certificate of a flag ends, in seconds since 1970: the first of a chain, the last of several CAs.",
	}, []string{"use", "flag"}))}
	r.took(r.sum(), time.Now())
	return r
}

// ticks returns when to look; never for a command without a renewal.
func (r *renewal) ticks() (ticks <-chan time.Time, stop func()) {
	switch {
	case r == nil:
		return nil, func() {}
	case r.program.ticks != nil:
		return r.program.ticks, func() {}
	}
	ticker := time.NewTicker(renewalEvery)
	return ticker.C, ticker.Stop
}

// certificateUse returns what the file of a flag is for.
func certificateUse(flag string) (use string, ok bool) {
	switch {
	case flag == "tls-cert":
		return forServer, true
	case flag == "tls-client-ca" || flag == "wpcom-ca" || strings.HasSuffix(flag, "-tls-ca"):
		return forAuthority, true
	case flag == "wpcom-cert" || strings.HasSuffix(flag, "-tls-cert"):
		return forClient, true
	case flag == "tls-key" || flag == "wpcom-key" || strings.HasSuffix(flag, "-tls-key"):
		return forKey, true
	default:
		return "", false
	}
}

// files returns the files of certificates and keys in use, by their flags.
func (r *renewal) files() map[string]string {
	files := maps.Clone(r.program.values)
	maps.DeleteFunc(files, func(flag, file string) bool {
		_, ok := certificateUse(flag)
		return !ok || file == ""
	})
	return files
}

// sum returns a hash of what is in the files.
func (r *renewal) sum() [sha256.Size]byte {
	h, files := sha256.New(), r.files()
	for _, flag := range slices.Sorted(maps.Keys(files)) {
		content, err := readSome(files[flag])
		fmt.Fprintf(h, "%s %v %x\n", flag, err, sha256.Sum256(content))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func readSome(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxCertificateBytes))
}

// look takes the certificates again if their files have changed, or if it could not take them
// when they had.
func (r *renewal) look(now time.Time) {
	if sum := r.sum(); sum != r.taken || r.failure != "" {
		if err := r.take(now); err != nil {
			if r.failure != err.Error() {
				r.failure = err.Error()
				r.process.log.Error("new certificates not taken, the old ones stay", "error", err)
			}
		} else {
			r.process.log.Info("new certificates taken")
			r.took(sum, now)
		}
	}
	r.warn(now)
}

// take takes the certificates, unless one of them has expired: then nothing is won.
func (r *renewal) take(now time.Time) error {
	for flag, file := range r.files() {
		end, err := endOf(flag, file)
		if err == nil && !end.IsZero() && now.After(end) {
			err = fmt.Errorf("%s expired on %s", file, end.UTC().Format(time.DateTime))
		}
		if err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
	}
	return r.apply()
}

// took notes that the files with this sum are in use, and exports when they end.
func (r *renewal) took(sum [sha256.Size]byte, now time.Time) {
	r.taken, r.failure, r.warned = sum, "", map[string]time.Time{}
	r.ends.Reset()
	for flag, file := range r.files() {
		use, _ := certificateUse(flag)
		if end, err := endOf(flag, file); err == nil && !end.IsZero() {
			r.ends.WithLabelValues(use, flag).Set(float64(end.Unix()))
		}
	}
	r.warn(now)
}

// warn logs once a day which certificates in use end soon.
func (r *renewal) warn(now time.Time) {
	if r.failure != "" {
		return // the files are not those in use; that was logged
	}
	for flag, file := range r.files() {
		end, err := endOf(flag, file)
		if err != nil || end.IsZero() || end.Sub(now) > certs.SoonLeft || now.Sub(r.warned[flag]) < warnEvery {
			continue
		}
		r.warned[flag] = now
		if now.After(end) {
			r.process.log.Error("certificate has expired", "flag", flag, "file", file, "expired", end.UTC())
		} else {
			r.process.log.Warn("certificate ends soon", "flag", flag, "file", file, "expires", end.UTC(), "left", end.Sub(now).Round(time.Minute))
		}
	}
}

// endOf returns when the certificates in a flag's file end; zero for a key.
func endOf(flag, file string) (time.Time, error) {
	use, _ := certificateUse(flag)
	if use == forKey {
		return time.Time{}, nil
	}
	all, err := certs.ReadFile(file)
	if err != nil {
		return time.Time{}, err
	}
	if use == forAuthority {
		return certs.AuthoritiesEnd(all), nil
	}
	return certs.ChainEnd(all), nil
}
