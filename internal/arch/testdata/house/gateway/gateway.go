// Package gateway has variables of every kind.
package gateway

import (
	"embed"
	"errors"
	"regexp"
	"sync"
)

//go:embed gateway.go
var page []byte

var (
	//go:embed gateway.go
	files embed.FS
)

// ErrGone is a sentinel.
var ErrGone = errors.New("gone")

var pattern = regexp.MustCompile("x")

var _ error = (*fault)(nil)

var fine = map[string]int{"a": 1}

// Shared can be changed by anyone.
var Shared = []string{"a"}

var (
	count   int
	pointer = &fault{}
	made    = make(map[string]int)
	lock    sync.Mutex
	once    = sync.Once{}
	first   = sync.OnceValue(func() int { return 1 })
	version = "1"
)

var (
	assigned  = []int{1}
	indexed   = map[string]int{"a": 1}
	deleted   = map[string]int{"a": 1}
	field     = fault{}
	counted   = [1]int{1}
	addressed = fault{}
	ranged    = []int{0}
	appended  = []int{1}
)

type fault struct{ n int }

func (*fault) Error() string { return "" }

func init() { count++ }
