//go:build wordpress

package wordpress

import "testing"

// fault is something that goes wrong on a site.
type fault struct {
	name   string
	change func(t testing.TB, s *Site)
}

// code is a fault of a plugin.
func code(php string) func(testing.TB, *Site) {
	return func(t testing.TB, s *Site) { t.Helper(); s.Plugin(t, php) }
}

const noTokens = `add_filter( 'pre_option_jetpack_private_options', '__return_empty_array' );`

// faults are what goes wrong in the record.
func faults() []fault {
	return []fault{
		{"maintenance", func(t testing.TB, s *Site) { s.Put(t, ".maintenance", "<?php $upgrading = time();") }},
		{"the database is away", func(t testing.TB, s *Site) { s.Config(t, "define( 'DB_HOST', '127.0.0.1:1' );") }},
		{"the database's password is wrong", func(t testing.TB, s *Site) { s.Config(t, "define( 'DB_PASSWORD', 'no' );") }},
		{"a fatal error", code("no_such_function();")},
		{"a fatal error of calls only", code("add_filter( 'xmlrpc_methods', fn() => no_such_function() );")},
		{"out of memory", code("ini_set( 'memory_limit', '8M' ); $x = str_repeat( 'x', 1 << 30 );")},
		{"a notice", func(t testing.TB, s *Site) { s.Ini(t, "display_errors=1"); s.Plugin(t, "echo $nothing;") }},
		{"text before", code("echo 'Hi!';")},
		{"text before, buffered", func(t testing.TB, s *Site) { s.Ini(t, "output_buffering=4096"); s.Plugin(t, "echo 'Hi!';") }},
		{"byte order mark", code(`echo "\xEF\xBB\xBF";`)},
		{"blank lines", code(`echo "\n\n";`)},
		{"text behind", code("register_shutdown_function( function () { echo '<b>Warning</b>: late'; } );")},
		{"no owner", code("add_filter( 'option_jetpack_private_options', function ( $o ) { unset( $o['user_tokens'] ); return $o; } );")},
		{"tokens lost", code(noTokens)},
		{"other tokens", code("add_filter( 'option_jetpack_private_options', fn( $o ) => array( 'blog_token' => 'new.secret', 'user_tokens' => array( 1 => 'newuser.secret.1' ) ) );")},
		{"plugin inactive", code("add_filter( 'pre_option_active_plugins', '__return_empty_array' );")},
		{"PHP without XML", func(t testing.TB, s *Site) { s.Without(t, "xml", "dom", "simplexml", "xmlreader", "xmlwriter", "xsl") }},
		{"XML-RPC off", code("add_filter( 'xmlrpc_enabled', '__return_false' );")},
		{"no methods", code("add_filter( 'xmlrpc_methods', '__return_empty_array', 9999 );")},
		{"no methods of Jetpack", code("add_filter( 'xmlrpc_methods', fn( $m ) => array_filter( $m, fn( $k ) => 0 !== strpos( $k, 'jetpack.' ), ARRAY_FILTER_USE_KEY ), 9999 );")},
		{"coming soon", code("add_action( 'template_redirect', function () { header( 'Retry-After: 3600' ); status_header( 503 ); echo '<!DOCTYPE html><h1>Coming soon</h1>'; exit; } );")},
		{"REST for those logged in", code("add_filter( 'rest_authentication_errors', fn( $r ) => true === $r || is_wp_error( $r ) || is_user_logged_in() ? $r : new WP_Error( 'rest_not_logged_in', 'You are not currently logged in.', array( 'status' => 401 ) ), 99 );")},
		{"REST for users alone", code("add_filter( 'rest_authentication_errors', fn( $r ) => is_user_logged_in() ? $r : new WP_Error( 'rest_cannot_access', 'DRA: Only authenticated users can access the REST API.', array( 'status' => 403 ) ), 99 );")},
		{"offline", func(t testing.TB, s *Site) { s.Config(t, "define( 'JETPACK_DEV_DEBUG', true );") }},
		{"staging", func(t testing.TB, s *Site) { s.Config(t, "define( 'JETPACK_STAGING_MODE', true );") }},
		{"local", func(t testing.TB, s *Site) { s.Config(t, "define( 'WP_ENVIRONMENT_TYPE', 'local' );") }},
		{"clock 20 m ahead", func(t testing.TB, s *Site) { s.Clock(t, "+20m") }},
		{"query lost", func(t testing.TB, s *Site) { s.ServerPHP(t, "fastcgi_param QUERY_STRING '';") }},
		{"body lost", func(t testing.TB, s *Site) {
			s.ServerPHP(t, "fastcgi_pass_request_body off; fastcgi_param CONTENT_LENGTH 0;")
		}},
		{"files denied", func(t testing.TB, s *Site) { s.Server(t, "location = /xmlrpc.php { deny all; }") }},
	}
}

func TestAnswersOfAConnectedSite(t *testing.T) {
	s := newSite(t, Options{})
	r := recordOf(t, s)
	r.ask(t, "a site that its owner connected", s, everything())
	r.compare(t, "connected")
}

func TestAnswersWhenSomethingIsWrong(t *testing.T) {
	s := newSite(t, Options{})
	r := recordOf(t, s)
	for _, f := range faults() {
		t.Run(f.name, func(t *testing.T) {
			f.change(t, s)
			r.ask(t, f.name, s, basics())
		})
	}
	r.compare(t, "faults")
}
