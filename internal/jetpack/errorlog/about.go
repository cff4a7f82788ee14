package errorlog

import "strings"

// isJetpack reports whether an entry is about a call of Jetpack. Apache shows no queries, so
// there every call of xmlrpc.php may be one.
func isJetpack(text, path string) bool {
	if strings.Contains(text, "for=jetpack") || strings.Contains(text, "/jetpack/v4") || strings.Contains(text, "Jetpack_Sync") ||
		strings.Contains(text, `Jetpack\Sync`) {
		return true
	}
	return strings.HasSuffix(path, "/xmlrpc.php") && !strings.Contains(text, `request: "`)
}

// maxPath is how much of a path is kept.
const maxPath = 120

// requestPath returns the path of the request that an entry is about, empty when it does not
// say: nginx's request, mod_security's uri, Apache's file, PHP-FPM's script.
func requestPath(text string) string {
	for _, m := range [...]struct{ before, after string }{
		{`request: "`, `"`}, {`[uri "`, `"`}, {"client denied by server configuration: ", " ,"}, {"script_filename = ", " "},
	} {
		_, found, ok := strings.Cut(text, m.before)
		if !ok {
			continue
		}
		if end := strings.IndexAny(found, m.after); end >= 0 {
			found = found[:end]
		}
		if method, rest, ok := strings.Cut(found, " "); ok && !strings.HasPrefix(method, "/") {
			found, _, _ = strings.Cut(rest, " ")
		}
		found, _, _ = strings.Cut(found, "?")
		return found[:min(len(found), maxPath)]
	}
	return ""
}

// culprit returns what an entry blames: a rule of mod_security, a plugin or theme by its
// folder, or the function that PHP waited for. It is empty when the entry blames nothing.
func culprit(text string) string {
	if id := between(text, `[id "`, `"`); id != "" {
		return "rule " + id
	}
	for _, kind := range []string{"plugin", "theme"} {
		if name := between(text, "/wp-content/"+kind+"s/", "/"); name != "" {
			return kind + " " + name
		}
	}
	if _, stack, ok := strings.Cut(text, "script_filename = "); ok {
		if call := between(stack, "] ", "("); call != "" {
			return call + "()"
		}
	}
	return ""
}

// between returns the short text between two others, empty when there is none.
func between(text, before, after string) string {
	_, found, ok := strings.Cut(text, before)
	if !ok {
		return ""
	}
	found, _, ok = strings.Cut(found[:min(len(found), maxPath)], after)
	if !ok || strings.ContainsAny(found, " \"'<>") {
		return ""
	}
	return found
}
