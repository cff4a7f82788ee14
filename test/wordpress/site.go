package wordpress

import (
	"crypto/rand"
	"crypto/x509"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The tokens of a connected site, and the id of its owner.
const (
	BlogToken = "blogkey.bl0gs3cret"
	UserToken = "userkey.us3rs3cret.1"
)

// debian is where Debian's package puts WordPress.
const debian = "/usr/share/wordpress"

//go:embed php
var scripts embed.FS

// Options of a site. The zero value is a site in the root of its address, connected by its
// owner.
type Options struct {
	// Jetpack is the directory of the plugin.
	Jetpack string
	// Home is the path of the address that visitors use, Core that of WordPress's files; both
	// begin and end with a slash, and default to it.
	Home, Core string
	// Plain means plain permalinks: no address but that of the front page is rewritten.
	Plain bool
	// TLS serves the site by https only.
	TLS bool
	// Proxy puts another server in front of the site's own, and tells it nothing but the Host.
	Proxy bool
	// SiteOnly leaves the owner out, Unconnected all tokens.
	SiteOnly, Unconnected bool
	// Standalone leaves out what the complete Jetpack does and its smaller plugins do not: it
	// starts the authentication of REST with the plugins, before WordPress knows the user.
	Standalone bool
	// Deaf means that WordPress.com takes nothing that the site sends.
	Deaf bool
	// Forwards are directives by which the proxy tells more than the Host.
	Forwards string
	// Host is a name for the site; empty means its IP address.
	Host string
}

// Site is a WordPress with its own nginx, PHP-FPM and database.
type Site struct {
	Options
	// IP is the site's address, URL and CoreURL those of its front page and of its files.
	IP, URL, CoreURL string
	// Root is the directory of the web server, Dir that of WordPress's files in it.
	Root, Dir string
	// Roots is the issuer of the certificate, if the site has one.
	Roots *x509.CertPool

	dir        string
	db         database
	nginx, fpm *program
	snippets   snippets
	clock      string
	files      int
}

// New installs and starts a site. It ends with the test.
func New(t testing.TB, o Options) *Site {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("the sites of these tests have the usual ports, which needs root")
	}
	if o.Home == "" {
		o.Home = "/"
	}
	if o.Core == "" {
		o.Core = o.Home
	}
	s := &Site{Options: o, db: newDatabase(t)}
	var err error
	if s.dir, err = os.MkdirTemp("", "jetmon-wordpress-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop(t)
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	// The servers run as another user than we do; PHP writes its log.
	log := filepath.Join(s.dir, "php.log")
	if err := errors.Join(os.Chmod(s.dir, 0o755), s.write(log, ""), os.Chmod(log, 0o666)); err != nil {
		t.Fatal(err)
	}
	if s.IP, err = freeAddress(); err != nil {
		t.Fatal(err)
	}
	if s.Host == "" {
		s.Host = s.IP
	}
	scheme := "http://"
	if o.TLS {
		scheme = "https://"
	}
	s.URL, s.CoreURL = scheme+s.Host+o.Home, scheme+s.Host+o.Core
	s.Root = filepath.Join(s.dir, "root")
	s.Dir = filepath.Join(s.Root, filepath.FromSlash(o.Core))
	if err := s.lay(); err != nil {
		t.Fatal(err)
	}
	s.script(t, "install.php", "")
	if !o.Unconnected {
		s.script(t, "connect.php", "")
	}
	s.Start(t)
	if !o.Unconnected {
		s.script(t, "run.php", settle)
	}
	return s
}

// freeAddress returns an address of this machine at which none of our ports is in use.
func freeAddress() (string, error) {
	var random [2]byte
	for range 100 {
		_, _ = rand.Read(random[:]) // it never fails
		ip := fmt.Sprintf("127.83.%d.%d", random[0], 1+random[1]%254)
		free := true
		for _, port := range []string{"80", "443", "8080"} {
			l, err := net.Listen("tcp", net.JoinHostPort(ip, port))
			if err != nil {
				free = false
				break
			}
			_ = l.Close()
		}
		if free {
			return ip, nil
		}
	}
	return "", fmt.Errorf("no address of 127.83.0.0/16 has free ports")
}

// lay puts the files of WordPress, the plugin, a theme and the configuration into place.
func (s *Site) lay() error {
	main, err := mainFile(s.Jetpack)
	if err != nil {
		return err
	}
	name := strings.TrimSuffix(main, ".php")
	plugin := filepath.Join(s.Dir, "wp-content", "plugins", name)
	for _, dir := range []string{plugin, filepath.Join(s.Dir, "config.d")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for _, copied := range [][2]string{{debian, s.Dir}, {s.Jetpack, plugin}} {
		if out, err := exec.Command("cp", "-rL", copied[0]+"/.", copied[1]).CombinedOutput(); err != nil {
			return fmt.Errorf("copy %s: %w: %.300s", copied[0], err, out)
		}
	}
	settings, err := s.settings(name + "/" + main)
	if err != nil {
		return err
	}
	config, err := scripts.ReadFile("php/wp-config.php")
	if err != nil {
		return err
	}
	const content = "wp-content/"
	files := map[string]string{
		"wp-config.php": string(config), "site.json": settings,
		content + "themes/plain/style.css": "/*\nTheme Name: Plain\n*/\n",
		content + "themes/plain/index.php": "<!DOCTYPE html><html><head><title><?php bloginfo( 'name' ); ?></title><?php wp_head(); ?></head><body>Hello world!<?php wp_footer(); ?></body></html>\n",
		content + "mu-plugins/index.php":   "<?php\n",
	}
	if !s.Standalone {
		files[content+"mu-plugins/complete.php"] = complete
	}
	if !s.Deaf {
		files[content+"mu-plugins/wordpresscom.php"] = heard
	}
	for path, text := range files {
		if err := s.write(filepath.Join(s.Dir, path), text); err != nil {
			return err
		}
	}
	if s.Core != s.Home {
		from := strings.TrimPrefix(s.Core, s.Home)
		return s.write(filepath.Join(s.Root, s.Home, "index.php"), "<?php\ndefine( 'WP_USE_THEMES', true );\nrequire __DIR__ . '/"+from+"wp-blog-header.php';\n")
	}
	return nil
}

// complete is what makes the plugin behave like the complete Jetpack (see Options.Standalone).
const complete = `<?php
add_action( 'plugins_loaded', function () {
	if ( class_exists( 'Automattic\Jetpack\Connection\Rest_Authentication' ) ) {
		Automattic\Jetpack\Connection\Rest_Authentication::init();
	}
} );
`

// settle makes Jetpack store what it stores on first use: the defaults of its settings.
const settle = `
if ( class_exists( 'Automattic\Jetpack\Sync\Settings' ) ) {
	Automattic\Jetpack\Sync\Settings::get_settings();
}
`

// heard is a WordPress.com that takes what the synchronisation sends.
const heard = `<?php
add_filter( 'jetpack_sync_send_data', function ( $items ) {
	remove_filter( 'jetpack_sync_send_data', array( 'Automattic\Jetpack\Sync\Actions', 'send_data' ), 10 );
	return array_keys( $items );
}, 1 );
`

// settings returns site.json, which our scripts read.
func (s *Site) settings(plugin string) (string, error) {
	text, err := json.Marshal(map[string]any{
		"home": s.URL, "core": s.CoreURL, "plain": s.Plain, "plugin": plugin,
		"db_name": s.db.name, "db_user": s.db.user, "db_password": s.db.password, "db_host": s.db.host,
		"blog_token": BlogToken, "user_token": map[bool]string{false: UserToken}[s.SiteOnly],
	})
	return string(text), err
}

// mainFile returns the name of a plugin's main file.
func mainFile(dir string) (string, error) {
	found, _ := filepath.Glob(filepath.Join(dir, "*.php"))
	for _, path := range found {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), "Plugin Name:") {
			return filepath.Base(path), nil
		}
	}
	return "", fmt.Errorf("JETPACK_DIR %q is not the directory of a plugin", dir)
}

func (s *Site) write(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}
