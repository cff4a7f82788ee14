package cockpit

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a tab of the browser with cookies of its own. A story fails when its console has an error,
// an exception is thrown, or the page breaks its Content-Security-Policy.
type tab struct {
	t   *testing.T
	ctx context.Context
	url string // of the gateway

	mu       sync.Mutex
	troubles []string
	// forgiven are parts of troubles that the story means to cause.
	forgiven []string
}

// open opens a tab at a path, signed in with a token; "" signs nobody in.
func (s *system) open(t *testing.T, token, path string) *tab {
	t.Helper()
	return openAt(t, s.url, token, path)
}

// openAt opens a tab at some gateway.
func openAt(t *testing.T, gateway, token, path string) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	p := &tab{t: t, ctx: ctx, url: gateway}
	t.Cleanup(func() {
		if t.Failed() {
			p.shot("failed")
		}
		cancel()
		for _, trouble := range p.unforgiven() {
			t.Errorf("in the browser: %s", trouble)
		}
	})
	if err := chromedp.Do(ctx); err != nil { // makes the tab, which lives as long as this context
		t.Fatal(err)
	}
	if err := chromedp.Listen(ctx, p.note); err != nil {
		t.Fatal(err)
	}
	tell(p, runtime.Enable, cdp.Empty{})
	tell(p, cdplog.Enable, cdp.Empty{})
	tell(p, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchScript})
	if token != "" {
		tell(p, network.SetCookie, network.SetCookieParams{
			Name: "jetmon_session", Value: token, URL: gateway, Path: "/", HTTPOnly: new(true), SameSite: network.CookieSameSiteStrict,
		})
	}
	p.visit(path)
	return p
}

// tell sends the browser a command of its protocol.
func tell[P, R any](p *tab, command cdp.Command[P, R], params P) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		p.t.Fatalf("in the browser: %v", err)
	}
}

// watchScript notes what would be XSS: attacks in the stories call pwned().
const watchScript = `window.pwned = (...what) => { console.error('PWNED ' + what.join()); };
document.addEventListener('securitypolicyviolation', (e) => console.error('CSP ' + e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile));`

// note keeps what a person would call a mistake of the page.
func (p *tab) note(event any) {
	var trouble string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		trouble = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			trouble += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError && e.Type != runtime.ConsoleAPICalledTypeWarning {
			return
		}
		for _, arg := range e.Args {
			trouble += " " + string(arg.Value) + arg.Description
		}
	case *cdplog.EventEntryAdded:
		if e.Entry.Level != cdplog.EntryLevelError && e.Entry.Level != cdplog.EntryLevelWarning {
			return
		}
		trouble = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubles = append(p.troubles, trouble)
}

// forgive takes a part of troubles that the story means to cause, as "status of 401".
func (p *tab) forgive(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgiven = append(p.forgiven, part)
}

func (p *tab) unforgiven() (left []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, trouble := range p.troubles {
		ok := false
		for _, part := range p.forgiven {
			ok = ok || strings.Contains(trouble, part)
		}
		if !ok {
			left = append(left, trouble)
		}
	}
	return left
}

// run does things in the tab.
func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatalf("in the browser: %v", err)
	}
}

// visit loads a path.
func (p *tab) visit(path string) { p.t.Helper(); p.run(chromedp.Navigate(p.url + path)) }

// path is the address as the person sees it, without the host.
func (p *tab) path() string {
	p.t.Helper()
	return eval[string](p, `location.pathname + location.search`)
}

// eval returns the value of an expression of JavaScript; a promise is awaited.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("in the browser: %v, by %s", err, expression[:min(len(expression), 200)])
	}
	return value
}

// sees waits until the page shows a text, and returns how long that took.
func (p *tab) sees(want string) time.Duration {
	p.t.Helper()
	return p.until(fmt.Sprintf("the page shows %q", want), fmt.Sprintf("document.body.innerText.includes(%q)", want))
}

// seesNot waits until the page does not show a text.
func (p *tab) seesNot(want string) {
	p.t.Helper()
	p.until(fmt.Sprintf("the page does not show %q", want), fmt.Sprintf("!document.body.innerText.includes(%q)", want))
}

// until waits until an expression is true, and returns how long that took.
func (p *tab) until(what, expression string) time.Duration {
	p.t.Helper()
	begin := time.Now()
	for !eval[bool](p, "!!("+expression+")") {
		if time.Since(begin) > patience {
			p.t.Fatalf("waited %s in vain until %s; the page shows:\n%s", patience, what, eval[string](p, `document.body.innerText`))
		}
		time.Sleep(25 * time.Millisecond)
	}
	return time.Since(begin)
}

// has tells whether an element is there.
func (p *tab) has(selector string) bool {
	p.t.Helper()
	return eval[bool](p, fmt.Sprintf("document.querySelector(%q) !== null", selector))
}

// click clicks what a CSS selector finds, when it is there.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.run(chromedp.WaitEnabled(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// press clicks the button or link with a text.
func (p *tab) press(name string) {
	p.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll('button, a, summary')].find((e) => e.innerText.trim() === %q && !e.disabled)`, name)
	p.until(fmt.Sprintf("there is %q to press", name), find)
	eval[bool](p, find+".click() ?? true")
}

// fill writes into a field, in place of what it has.
func (p *tab) fill(selector, value string) {
	p.t.Helper()
	p.until(selector+" is there", fmt.Sprintf("document.querySelector(%q)", selector))
	eval[bool](p, fmt.Sprintf("(() => { const e = document.querySelector(%q); e.focus(); e.select?.(); return true; })()", selector))
	p.run(chromedp.KeyEvent(kb.Delete), chromedp.KeyEvent(value))
}

// key presses keys, as "j" or kb.Enter.
func (p *tab) key(keys string) { p.t.Helper(); p.run(chromedp.KeyEvent(keys)) }

// back is the browser's own button.
func back() chromedp.Action[chromedp.Void] { return chromedp.NavigateBack() }
