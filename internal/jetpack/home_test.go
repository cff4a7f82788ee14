package jetpack_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/Automattic/jetmon/internal/jetpack"
	"github.com/Automattic/jetmon/internal/jetpack/fakejetpack"
)

// TestAHomePageThatIsMissingSaysNothingOfXMLRPC has a site whose home page is 404 while
// xmlrpc.php works, as where pages are redirected to one that was deleted.
func TestAHomePageThatIsMissingSaysNothingOfXMLRPC(t *testing.T) {
	t.Parallel()
	site := fakejetpack.New(connected())
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" && r.Method != http.MethodPost && r.URL.RawQuery == "" {
			http.NotFound(w, r)
			return
		}
		site.ServeHTTP(w, r)
	}))
	r := diagnose(t, w, nil)
	expect(t, r, "head_and_get", jetpack.Fail, "home_missing")
	expect(t, r, "xmlrpc_post", jetpack.Pass, "")
	if len(r.Causes) != 1 || strings.Contains(r.Conclusion, "xmlrpc.php") {
		t.Errorf("the conclusion is about another thing:\n%s", table(r))
	}
}

// TestAServerThatHandsOutPHPRefusesPostForThatReason has nginx in front of a directory, with
// no PHP: GET shows the source, and POST is 405.
func TestAServerThatHandsOutPHPRefusesPostForThatReason(t *testing.T) {
	t.Parallel()
	site := fakejetpack.New(connected())
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/xmlrpc.php":
			site.ServeHTTP(w, r)
		case r.Method == http.MethodPost:
			http.Error(w, "<html><h1>405 Not Allowed</h1><center>nginx</center></html>", http.StatusMethodNotAllowed)
		default:
			_, _ = w.Write([]byte("<?php\n/**\n * XML-RPC protocol support for WordPress\n */\n"))
		}
	}))
	r := diagnose(t, w, nil)
	expect(t, r, "xmlrpc_get", jetpack.Fail, "php_not_run")
	expect(t, r, "xmlrpc_post", jetpack.Fail, "php_not_run")
}
