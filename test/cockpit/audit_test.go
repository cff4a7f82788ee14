package cockpit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// shots is where the pictures go; git ignores it.
const shots = "screenshots"

// shot keeps a picture of the whole page, as screenshots/STORY-name.png.
func (p *tab) shot(name string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	picture, err := chromedp.Call(ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: new(true), OptimizeForSpeed: new(true)})
	if err != nil {
		p.t.Logf("no picture: %v", err)
		return
	}
	file := filepath.Join(shots, strings.ReplaceAll(p.t.Name(), "/", "-")+"-"+name+".png")
	if err := errors.Join(os.MkdirAll(shots, 0o755), os.WriteFile(file, picture.Data, 0o644)); err != nil {
		p.t.Logf("no picture: %v", err)
	}
}

// theme shows the page as people with this preference see it: "light" or "dark".
func (p *tab) theme(name string) {
	p.t.Helper()
	tell(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

// width makes the window so many pixels wide, as phones have 360.
func (p *tab) width(pixels int64) {
	p.t.Helper()
	p.run(chromedp.EmulateViewport(pixels, 900))
}

// audit has axe-core look at the page in both themes, on a desk and on a phone, keeps a picture of each,
// and fails when it finds anything, when a time is shown as the API writes it, or when the page is wider
// than the window.
func (p *tab) audit() {
	p.t.Helper()
	axe, err := os.ReadFile("../../tools/npm/node_modules/axe-core/axe.min.js")
	if err != nil {
		p.t.Fatalf("%v: run make test-cockpit, which brings it", err)
	}
	if !eval[bool](p, "!!window.axe") {
		eval[bool](p, string(axe)+"; true")
	}
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 360} {
			p.theme(theme)
			p.width(width)
			for _, finding := range eval[[]string](p, axeScript) {
				p.t.Errorf("axe, %s, %d pixels wide: %s", theme, width, finding)
			}
			if wide := eval[int64](p, "document.documentElement.scrollWidth"); wide > width {
				p.t.Errorf("at %d pixels the page is %d pixels wide", width, wide)
			}
			if raw := eval[string](p, `document.body.innerText.match(/\d{4}-\d\d-\d\d[T ][0-9:.]+Z/)?.[0] ?? ''`); raw != "" {
				p.t.Errorf("%s is shown, and not the local time with its zone", raw)
			}
			p.shot(fmt.Sprintf("%s-%d", theme, width))
		}
	}
	p.theme("light")
	p.width(1280)
}

const axeScript = `axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then((r) =>
	r.violations.flatMap((v) => v.nodes.map((n) => v.id + ': ' + v.help + ': ' + n.html.slice(0, 200) + ' ' + (n.any[0]?.message ?? ''))))`

// weight is what a page cost, by the browser's own figures.
type weight struct {
	FirstPaint float64 `json:"firstPaint"` // ms
	Shift      float64 `json:"shift"`      // of the layout; 0 is none
	Script     float64 `json:"script"`     // bytes of JavaScript as sent
	All        float64 `json:"all"`        // bytes of everything as sent
	Files      float64 `json:"files"`
}

// weigh returns what loading the page cost.
func (p *tab) weigh() weight {
	p.t.Helper()
	return eval[weight](p, `(async () => {
		const entries = performance.getEntriesByType('resource').filter((e) => e.name.includes('/ui/'));
		const sum = (list) => list.reduce((n, e) => n + e.transferSize, 0);
		const shifts = await new Promise((done) => {
			let total = 0;
			new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) total += e.value; }).observe({ type: 'layout-shift', buffered: true });
			setTimeout(() => done(total), 300);
		});
		return {
			firstPaint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1,
			shift: shifts,
			script: sum(entries.filter((e) => e.name.endsWith('.js'))),
			all: sum(entries) + performance.getEntriesByType('navigation')[0].transferSize,
			files: entries.length,
		};
	})()`)
}
