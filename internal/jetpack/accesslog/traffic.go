package accesslog

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// Limits on the counts per URL.
const (
	// keptURLs is how many URLs prune keeps when there are twice as many.
	keptURLs = 2000
	// maxPath is how much of a path is kept.
	maxPath = 200
)

// URL counts the requests for one path, without its query.
type URL struct {
	Path string
	// Dynamic is true when PHP most likely makes the response.
	Dynamic bool
	// Count is the number of requests.
	Count uint64
	// Sizes are the sizes of the bodies; HEAD and 304 have none.
	Sizes Sizes
	// Statuses counts by class: 1xx to 5xx.
	Statuses [5]uint64
}

// traffic counts per URL in constant memory. When there are too many URLs, it merges those
// with few and small responses. If a merged URL occurs again, its count starts anew.
type traffic struct {
	urls map[string]*URL
	// others are the sizes of the merged URLs, and forgotten is their number.
	others    Sizes
	forgotten uint64
}

func newTraffic() traffic { return traffic{urls: make(map[string]*URL, 64)} }

// of returns the counter of a path.
func (t *traffic) of(key []byte, dynamic bool) *URL {
	if u := t.urls[string(key)]; u != nil {
		return u
	}
	if len(t.urls) >= 2*keptURLs {
		t.prune()
	}
	u := &URL{Path: clean(key, maxPath), Dynamic: dynamic}
	t.urls[string(key)] = u
	return u
}

// prune keeps the most frequent URLs, and those of the rest with the largest responses.
func (t *traffic) prune() {
	type keyed struct {
		key string
		url *URL
	}
	all := make([]keyed, 0, len(t.urls))
	for key, u := range t.urls {
		all = append(all, keyed{key, u})
	}
	slices.SortFunc(all, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(b.url.Count, a.url.Count), strings.Compare(a.key, b.key))
	})
	rest := all[keptURLs/2:]
	slices.SortFunc(rest, func(a, b keyed) int {
		return cmp.Or(cmp.Compare(b.url.Sizes.Max, a.url.Sizes.Max), strings.Compare(a.key, b.key))
	})
	for _, k := range all[keptURLs:] {
		t.others.merge(&k.url.Sizes)
		t.forgotten++
		delete(t.urls, k.key)
	}
}

// top returns at most n URLs, ordered by the function by.
func (t *traffic) top(n int, by func(a, b *URL) int) []URL {
	all := make([]*URL, 0, len(t.urls))
	for _, u := range t.urls {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b *URL) int { return cmp.Or(by(a, b), strings.Compare(a.Path, b.Path)) })
	out := make([]URL, 0, min(n, len(all)))
	for _, u := range all[:min(n, len(all))] {
		out = append(out, *u)
	}
	return out
}

func byCount(a, b *URL) int { return cmp.Compare(b.Count, a.Count) }
func byMax(a, b *URL) int   { return cmp.Compare(b.Sizes.Max, a.Sizes.Max) }

// isDynamic reports whether PHP most likely made the response: any path without the
// extension of a static file. WordPress makes pages, feeds and site maps.
func isDynamic(path []byte) bool {
	dot := bytes.LastIndexByte(path, '.')
	if dot < 0 || bytes.IndexByte(path[dot:], '/') >= 0 {
		return true
	}
	var lower [8]byte
	ending := path[dot+1:]
	if len(ending) > len(lower) {
		return true
	}
	for i, c := range ending {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	switch string(lower[:len(ending)]) {
	case "css", "js", "mjs", "map", "png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "bmp",
		"woff", "woff2", "ttf", "otf", "eot", "mp3", "mp4", "m4a", "m4v", "webm", "ogg", "ogv", "wav", "mov",
		"pdf", "zip", "gz", "tgz", "rar", "7z", "txt", "html", "htm", "json", "wasm", "csv",
		"doc", "docx", "xls", "xlsx", "ppt", "pptx":
		return false
	}
	return true
}

// clean makes a text from a log safe to show: printable ASCII, at most n bytes.
func clean(b []byte, n int) string {
	out := make([]byte, 0, min(len(b), n))
	for _, c := range b[:min(len(b), n)] {
		if c < ' ' || c >= 0x7f {
			c = '?'
		}
		out = append(out, c)
	}
	if len(b) > n {
		return string(out) + "..."
	}
	return string(out)
}
