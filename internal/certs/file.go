package certs

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	certBlock = "CERTIFICATE"
	keyBlock  = "PRIVATE KEY"
	// maxFile bounds the bytes of a file of certificates.
	maxFile = 1 << 20
)

// ReadFile reads all certificates of a PEM file of at most 1 MiB. It refuses a file without
// any.
func ReadFile(path string) ([]*x509.Certificate, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	all, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s %w", path, err)
	}
	return all, nil
}

// Parse reads all certificates of a PEM text. Its errors continue the name of the file.
func Parse(text []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != certBlock {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("holds a certificate that cannot be read: %w", err)
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, errors.New("holds no certificate (PEM)")
	}
	return all, nil
}

func readBounded(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return text, err
}

// readKey reads an authority's key, which nobody else may read.
func readKey(path string) (*ecdsa.PrivateKey, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if others := info.Mode().Perm() & 0o077; others != 0 {
		return nil, fmt.Errorf("%s: others may use this file, and so sign for any role: chmod 600", path)
	}
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != keyBlock {
		return nil, fmt.Errorf("%s holds no key (PEM, PKCS #8)", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, not a key that `jetmon certs init` made", path, parsed)
	}
	return key, nil
}

// writePair writes a certificate and its key. Without replace it overwrites neither. The key
// comes first: a certificate without its key is of no use.
func writePair(p Pair, key *ecdsa.PrivateKey, replace bool) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if !replace {
		for _, path := range []string{p.CertFile, p.KeyFile} {
			switch _, err := os.Lstat(path); {
			case err == nil:
				return fmt.Errorf("%s is there already: %w", path, fs.ErrExist)
			case !errors.Is(err, fs.ErrNotExist):
				return err
			}
		}
	}
	if err := writeFile(p.KeyFile, &pem.Block{Type: keyBlock, Bytes: der}, 0o600, replace); err != nil {
		return err
	}
	err = writeFile(p.CertFile, &pem.Block{Type: certBlock, Bytes: p.Certificate.Raw}, 0o644, replace)
	if err != nil && !replace {
		err = errors.Join(err, os.Remove(p.KeyFile))
	}
	return err
}

func writeFile(path string, block *pem.Block, mode fs.FileMode, replace bool) error {
	return writeBlocks(path, []*pem.Block{block}, mode, replace)
}

// writeBlocks writes a file as a whole or not at all.
func writeBlocks(path string, blocks []*pem.Block, mode fs.FileMode, replace bool) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), ".jetmon-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		// After a rename there is nothing to remove.
		if gone := os.Remove(file.Name()); err == nil && !errors.Is(gone, fs.ErrNotExist) {
			err = gone
		}
	}()
	for _, block := range blocks {
		err = errors.Join(err, pem.Encode(file, block))
	}
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	if replace {
		err = os.Rename(file.Name(), path)
	} else {
		err = os.Link(file.Name(), path) // fails if the path is there
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
