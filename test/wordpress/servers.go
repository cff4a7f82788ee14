package wordpress

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// snippets are what a test adds to the configuration: to the server that the world reaches,
// to its place for PHP, to PHP's settings; and the modules of PHP that are left out.
type snippets struct {
	server, php, ini string
	without          []string
}

// Start starts the servers of a site.
func (s *Site) Start(t testing.TB) {
	t.Helper()
	if err := errors.Join(s.startPHP(), s.startNginx()); err != nil {
		t.Fatal(err)
	}
}

// Stop ends them.
func (s *Site) Stop(t testing.TB) {
	t.Helper()
	if err := errors.Join(s.nginx.stop(), s.fpm.stop()); err != nil {
		t.Error(err)
	}
	s.nginx, s.fpm = nil, nil
}

func (s *Site) restart(t testing.TB) {
	t.Helper()
	s.Stop(t)
	s.Start(t)
}

// Server adds directives to the web server until the test ends; ROOT and SOCKET stand for
// its directory and the socket of PHP.
func (s *Site) Server(t testing.TB, directives string) {
	t.Helper()
	s.with(t, snippets{server: strings.NewReplacer("ROOT", s.Root, "SOCKET", s.dir+"/php.sock").Replace(directives)})
}

// ServerPHP adds directives to the place of the web server that hands requests to PHP.
func (s *Site) ServerPHP(t testing.TB, directives string) {
	t.Helper()
	s.with(t, snippets{php: directives})
}

// Without takes modules from PHP until the test ends.
func (s *Site) Without(t testing.TB, modules ...string) {
	t.Helper()
	s.with(t, snippets{without: modules})
}

// Ini adds settings of PHP until the test ends.
func (s *Site) Ini(t testing.TB, settings string) {
	t.Helper()
	s.with(t, snippets{ini: settings})
}

// Clock moves the clock of the site's servers until the test ends, as "+20m" or "-400s".
func (s *Site) Clock(t testing.TB, by string) {
	t.Helper()
	if _, err := preload(); err != nil {
		t.Fatal(err)
	}
	s.clock = by
	s.restart(t)
	t.Cleanup(func() { s.clock = ""; s.restart(t) })
}

func (s *Site) with(t testing.TB, added snippets) {
	t.Helper()
	before := s.snippets
	s.snippets = snippets{
		server: before.server + added.server, php: before.php + added.php, ini: before.ini + "\n" + added.ini,
		without: append(slices.Clone(before.without), added.without...),
	}
	s.restart(t)
	t.Cleanup(func() { s.snippets = before; s.restart(t) })
}

// preload returns the library that moves a program's clock.
func preload() (string, error) {
	found, _ := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if len(found) == 0 {
		return "", errors.New("libfaketime is missing: make test-wordpress installs it")
	}
	return found[0], nil
}

// env returns the environment of the servers. The library looks at it again and again, so
// PHP's workers must have it, too.
func (s *Site) env() []string {
	if s.clock == "" {
		return nil
	}
	library, _ := preload() // Clock has asked
	return []string{"LD_PRELOAD=" + library, "FAKETIME=" + s.clock, "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"}
}

func (s *Site) startPHP() error {
	binary, err := find("php-fpm[0-9]*")
	if err != nil {
		return err
	}
	modules := filepath.Join(s.dir, "modules")
	if err := errors.Join(os.RemoveAll(modules), os.Mkdir(modules, 0o755)); err != nil {
		return err
	}
	version := strings.TrimPrefix(filepath.Base(binary), "php-fpm")
	all, _ := filepath.Glob("/etc/php/" + version + "/fpm/conf.d/*.ini")
	for _, path := range all {
		if s.leaves(filepath.Base(path)) {
			continue
		}
		if err := os.Symlink(path, filepath.Join(modules, filepath.Base(path))); err != nil {
			return err
		}
	}
	socket := filepath.Join(s.dir, "php.sock")
	ini := "memory_limit=256M\nlog_errors=1\ndisplay_errors=0\nopcache.revalidate_freq=0\nsendmail_path=/bin/true\nerror_log=" + s.dir + "/php.log\n"
	config := fmt.Sprintf("[global]\nerror_log=%[1]s/fpm.log\ndaemonize=no\n[site]\nuser=www-data\ngroup=www-data\nlisten=%[2]s\nlisten.mode=0666\n"+
		"pm=static\npm.max_children=4\nclear_env=no\n", s.dir, socket)
	for path, text := range map[string]string{"php.ini": ini + s.snippets.ini + "\n", "fpm.conf": config} {
		if err := s.write(filepath.Join(s.dir, path), text); err != nil {
			return err
		}
	}
	_ = os.Remove(socket)
	s.fpm, err = launch(filepath.Join(s.dir, "fpm.out"), append(s.env(), "PHP_INI_SCAN_DIR="+modules), answers("unix", socket),
		binary, "--fpm-config", filepath.Join(s.dir, "fpm.conf"), "-c", filepath.Join(s.dir, "php.ini"))
	return err
}

func (s *Site) leaves(ini string) bool {
	for _, module := range s.snippets.without {
		if strings.HasSuffix(ini, "-"+module+".ini") {
			return true
		}
	}
	return false
}

func (s *Site) startNginx() error {
	binary, err := find("nginx")
	if err != nil {
		return err
	}
	config, err := s.nginxConfig()
	if err != nil {
		return err
	}
	path := filepath.Join(s.dir, "nginx.conf")
	if err := s.write(path, config); err != nil {
		return err
	}
	port := "80"
	if s.TLS {
		port = "443"
	}
	s.nginx, err = launch(filepath.Join(s.dir, "nginx.out"), s.env(), answers("tcp", s.IP+":"+port), binary, "-c", path, "-e", s.dir+"/error.log")
	return err
}

// nginxConfig returns the configuration of the web server, and of the proxy before it.
func (s *Site) nginxConfig() (string, error) {
	front := fmt.Sprintf("listen %s:80;", s.IP)
	if s.TLS {
		if err := s.certify(); err != nil {
			return "", err
		}
		front = fmt.Sprintf("listen %s:443 ssl; ssl_certificate %[2]s/cert.pem; ssl_certificate_key %[2]s/key.pem;", s.IP, s.dir)
	}
	own := front + " access_log " + s.dir + "/access.log;"
	proxy := ""
	if s.Proxy {
		own = fmt.Sprintf("listen %s:8080;", s.IP)
		proxy = fmt.Sprintf("server { %s access_log %s/access.log; server_name _; %s\nlocation / { proxy_pass http://%s:8080; proxy_set_header Host $host; %s } }\n", front, s.dir, s.snippets.server, s.IP, s.Forwards)
	} else {
		own += "\n" + s.snippets.server
	}
	return fmt.Sprintf(`user www-data; daemon off; worker_processes 1; pid %[1]s/nginx.pid; error_log %[1]s/error.log;
events { worker_connections 256; }
http {
include /etc/nginx/mime.types; access_log off; server_tokens on; client_max_body_size 8m;
client_body_temp_path %[1]s/body; fastcgi_temp_path %[1]s/fastcgi; proxy_temp_path %[1]s/proxy; scgi_temp_path %[1]s/scgi; uwsgi_temp_path %[1]s/uwsgi;
%[2]sserver { %[3]s
root %[4]s; index index.php;
location %[5]s { try_files $uri $uri/ %[5]sindex.php?$args; }
location ~ \.php$ { try_files $uri =404; include /etc/nginx/fastcgi_params; fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_pass unix:%[1]s/php.sock;
%[6]s }
}
}
`, s.dir, proxy, own, s.Root, s.Home, s.snippets.php), nil
}
