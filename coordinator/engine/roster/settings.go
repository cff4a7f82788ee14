package roster

import (
	"encoding/json"

	"github.com/Automattic/jetmon/internal/check"
)

// interned holds each distinct check.Settings once: nearly all sites share a few. They are
// immutable, so a caller may keep a pointer to one. Settings that no site uses any more
// stay; edits of settings are rare, since people make them.
type interned struct {
	list  []*check.Settings
	index map[string]uint32 // by JSON
}

func newInterned() interned {
	return interned{list: []*check.Settings{{}}, index: map[string]uint32{}}
}

// add finds or makes the index of some settings; that of the defaults is 0.
func (t *interned) add(s check.Settings) uint32 {
	if isDefault(s) {
		return 0
	}
	text, err := json.Marshal(s)
	if err != nil { // plain values: cannot fail
		return 0
	}
	i, ok := t.index[string(text)]
	if !ok {
		i = uint32(len(t.list))
		kept := s // taking the address of s would allocate it on every call
		t.list = append(t.list, &kept)
		t.index[string(text)] = i
	}
	return i
}

func isDefault(s check.Settings) bool {
	return s.Method == 0 && s.RedirectPolicy == 0 && len(s.Headers) == 0 &&
		len(s.RequiredTexts) == 0 && len(s.ForbiddenTexts) == 0 && s.SlowAfter == 0 && s.PageCheck == 0 && s.TLSErrors == 0
}
