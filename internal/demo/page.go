package demo

import (
	"fmt"
	"html/template"
	"net/http"
	"slices"
)

// row is a notification as the page shows it.
type row struct {
	Received
	Status, Class string
	Checks        []string
}

// statusWords names v1's status numbers.
func statusWords(id int) (words, class string) {
	switch id {
	case 0:
		return "0 down", "down"
	case 1:
		return "1 running", "up"
	case 2:
		return "2 confirmed down", "down"
	}
	return fmt.Sprint(id), ""
}

func checkWords(c Check) string {
	who := "veriflier"
	if c.Type == 1 {
		who = "checker"
	}
	saw := "online"
	if c.Status != 1 {
		saw = "offline"
	}
	text := fmt.Sprintf("%s %s: %s, code %d", who, c.Host, saw, c.Code)
	if c.ErrorCode != nil && *c.ErrorCode != 0 {
		text += fmt.Sprintf(", error %d", *c.ErrorCode)
	}
	return fmt.Sprintf("%s, %d ms", text, c.RTT)
}

// page shows the notifications, the newest first.
func (b *Inbox) page(w http.ResponseWriter) {
	var rows []row
	for _, r := range slices.Backward(b.Notifications()) {
		one := row{Received: r}
		one.Status, one.Class = statusWords(r.Notification.StatusID)
		for _, c := range r.Notification.Checks {
			one.Checks = append(one.Checks, checkWords(c))
		}
		rows = append(rows, one)
	}
	writePage(w, b.html, http.StatusOK, rows)
}

// writePage writes a page that loads no other resources and runs no script.
func writePage(w http.ResponseWriter, t *template.Template, status int, data any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The status has been sent; a client that has gone needs no error.
	_ = t.Execute(w, data)
}

const style = `<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1d2327 }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #dcdcde }
td { overflow-wrap: anywhere }
small { color: #646970 }
.down { color: #b32d2e; font-weight: 600 }
.up { color: #00753b; font-weight: 600 }
</style>`

const inboxPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="2">
<title>WordPress.com inbox</title>` + style + `</head><body>
<h1>WordPress.com inbox</h1>
<p>What Jetmon has reported, the newest first. As JSON: <a href="/inbox">/inbox</a>.</p>
{{if not .}}<p>Nothing yet.</p>{{else}}<table>
<tr><th>Received</th><th>Status</th><th>Site</th><th>Checks</th><th>Key</th></tr>
{{range .}}<tr>
<td>{{.ReceivedTime.Format "15:04:05"}}</td>
<td class="{{.Class}}">{{.Status}}</td>
<td>{{.Notification.MonitorURL}}<br><small>blog {{.Notification.BlogID}}</small></td>
<td><small>{{range .Checks}}{{.}}<br>{{end}}</small></td>
<td><small>{{.Key}}{{if .Repeats}}<br>repeated {{.Repeats}} times{{end}}</small></td>
</tr>
{{end}}</table>{{end}}
</body></html>
`
