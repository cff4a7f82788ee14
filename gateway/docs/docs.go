// Package docs holds the page at /docs, on which people read the description of the API and try
// calls. The viewer is Swagger UI, at the version that tools/npm/package.json pins;
// `make docs-viewer` copies its files to swagger-ui/. The page loads nothing from elsewhere.
package docs

import _ "embed"

var (
	//go:embed index.html
	index []byte
	//go:embed start.js
	start []byte
	//go:embed swagger-ui/swagger-ui-bundle.js
	bundle []byte
	//go:embed swagger-ui/swagger-ui.css
	style []byte
)

// Policy is the Content-Security-Policy of the page. The viewer sets styles of elements, and has
// pictures in its style sheet; it runs no code that is not in its files.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// Path is where the page is.
const Path = "/docs"

// File is a file of the page.
type File struct {
	Path, Type string
	Body       []byte // read-only
}

// Files are the page and what it loads.
func Files() []File {
	return []File{
		{Path, "text/html; charset=utf-8", index},
		{"/docs/start.js", "text/javascript; charset=utf-8", start},
		{"/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8", bundle},
		{"/docs/swagger-ui.css", "text/css; charset=utf-8", style},
	}
}
