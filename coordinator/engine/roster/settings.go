package roster

import (
	"encoding/json"

	"github.com/Automattic/jetmon/internal/check"
)

// interned holds each different check.Settings once: nearly all sites share a few. None is
// ever changed, so that whoever has a pointer to one may keep it. One that no site has any
// more stays; edits of settings are rare and bounded by people.
type interned struct {
	list  []*check.Settings
	index map[string]uint32 // by JSON
}

func newInterned() interned {
	return interned{list: []*check.Settings{{}}, index: map[string]uint32{}}
}

// add finds or makes the index of some settings; the default's is 0.
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
		kept := s // not s, which would then always be allocated
		t.list = append(t.list, &kept)
		t.index[string(text)] = i
	}
	return i
}

func isDefault(s check.Settings) bool {
	return s.Method == 0 && s.RedirectPolicy == 0 && len(s.Headers) == 0 &&
		len(s.RequiredTexts) == 0 && len(s.ForbiddenTexts) == 0 && s.SlowAfter == 0
}
