package event

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/Automattic/jetmon/coordinator/rules/shard"
)

// Positions is a place among the committed events of all coordinators: of each shard the
// position up to which everything was read. Events of a shard become visible in the order of
// their positions; those of one transaction share one.
type Positions [shard.Count]int64

// Oldest is the position of a shard before its first event that is still kept.
const Oldest = -1

// FromOldest is before everything that is kept.
func FromOldest() (p Positions) {
	for s := range p {
		p[s] = Oldest
	}
	return p
}

// Reached reports whether everything up to other was read.
func (p Positions) Reached(other Positions) bool {
	for s := range p {
		if p[s] < other[s] {
			return false
		}
	}
	return true
}

// Join returns the positions up to which everything was read by one reader or the other.
func (p Positions) Join(other Positions) Positions {
	for s := range p {
		p[s] = max(p[s], other[s])
	}
	return p
}

// Token is positions in a database, as a consumer keeps them.
type Token struct {
	// Database is the number of the database whose positions they are.
	Database uint32
	Positions
}

const (
	// tokenVersion begins each token.
	tokenVersion = 1
	// MaxToken bounds the characters of a token.
	MaxToken                  = 512
	checkBytes, databaseBytes = 4, 4
)

// ErrToken means that a text is no token that String has made.
var ErrToken = errors.New("is no token of this API, or was damaged")

// String returns the token as text: at most MaxToken printable characters of ASCII, and
// fewer than 200 until a shard has had some 250 million transactions.
func (t Token) String() string {
	b := make([]byte, 0, MaxToken*3/4)
	b = append(b, tokenVersion)
	b = binary.BigEndian.AppendUint32(b, t.Database)
	for _, pos := range t.Positions {
		b = binary.AppendUvarint(b, uint64(pos-Oldest))
	}
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken reads a token; the error is ErrToken.
func ParseToken(text string) (Token, error) {
	if len(text) > MaxToken {
		return Token{}, ErrToken
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 1+databaseBytes+checkBytes || b[0] != tokenVersion {
		return Token{}, ErrToken
	}
	body := b[:len(b)-checkBytes]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(b[len(body):]) {
		return Token{}, ErrToken
	}
	t := Token{Database: binary.BigEndian.Uint32(b[1:])}
	rest := body[1+databaseBytes:]
	for s := range t.Positions {
		v, n := binary.Uvarint(rest)
		if n <= 0 || v > 1<<62 {
			return Token{}, ErrToken
		}
		t.Positions[s], rest = int64(v)+Oldest, rest[n:]
	}
	if len(rest) > 0 || t.String() != text {
		return Token{}, ErrToken
	}
	return t, nil
}
