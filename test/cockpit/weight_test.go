package cockpit

import "testing"

// What a page costs, by the browser's own figures. The bounds are wide: the machine of a test run
// has much to do. The weight is a promise and has none.
func TestThePagesAreLight(t *testing.T) {
	s := running(t)
	token := s.token(t, "admin")
	for _, path := range []string{"/ui/fleet", "/ui/outages"} {
		p := s.open(t, token, path)
		p.until("the page is there", `document.querySelector('h2')`)
		w := p.weigh()
		t.Logf("%s: first contentful paint %.0f ms, layout shift %.4f, JavaScript %.1f KB, all %.1f KB in %.0f files", path, w.FirstPaint, w.Shift, w.Script/1000, w.All/1000, w.Files)
		if w.Script > 150_000 || w.Script < 10_000 {
			t.Errorf("%s sends %.0f bytes of JavaScript, want at most 150000", path, w.Script)
		}
		if w.FirstPaint < 0 || w.FirstPaint > 3000 {
			t.Errorf("%s: first contentful paint after %.0f ms", path, w.FirstPaint)
		}
		if w.Shift > 0.1 {
			t.Errorf("%s: the layout shifts by %.4f", path, w.Shift)
		}
		p.visit(path)
		p.until("the page is there again", `document.querySelector('h2')`)
		if again := p.weigh(); again.Script > 0 {
			t.Errorf("%s sends %.0f bytes of JavaScript the second time", path, again.Script)
		}
	}
}
