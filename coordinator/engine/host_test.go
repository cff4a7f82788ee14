package engine

import (
	"testing"

	"github.com/Automattic/jetmon/coordinator/rules/record"
)

func TestUntilASiteIsCheckedItsHostIsThatOfItsURL(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		url, address string
		same         bool
	}{
		{"https://192.0.2.7/", "192.0.2.7:443", true},
		{"http://192.0.2.7:8080/a:b?c#d", "192.0.2.7:8080", true},
		{"192.0.2.7", "192.0.2.7:80", true},
		{"https://192.0.2.7?x=//192.0.2.8", "192.0.2.7:443", true},
		{"http://[2001:db8::7]:8080/", "[2001:db8::7]:8080", true},
		{"http://[2001:db8::7]", "[2001:db8::7]:80", true},
		{"https://192.0.2.70/", "192.0.2.7:443", false},
		{"https://example.com/192.0.2.7", "192.0.2.7:443", false},
	} {
		t.Run(tt.url, func(t *testing.T) {
			t.Parallel()
			r := row()
			r.URL = tt.url
			for name, put := range map[string]func(*world){
				"put":     func(w *world) { w.engine.Put(w.now, r) },
				"read":    func(w *world) { putBucket(w.engine, w.now, r.Bucket, []record.Site{r}) },
				"changed": func(w *world) { w.engine.Put(w.now, row()); w.engine.Put(w.now, r) },
			} {
				w := newWorld(t)
				put(w)
				host := w.engine.sites.Entry(w.slot()).Host()
				if same := host == w.engine.judge.hosts.At(tt.address, 0); host == 0 || same != tt.same {
					t.Errorf("%s: host %d, that of %s: %t", name, host, tt.address, same)
				}
			}
		})
	}
}
