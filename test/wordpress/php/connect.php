<?php
// Connects Jetpack: it writes the tokens where the connection package looks for them.
$site = json_decode( file_get_contents( $argv[1] . '/site.json' ), true );
$_SERVER['HTTP_HOST'] = parse_url( $site['home'], PHP_URL_HOST );
require $argv[1] . '/wp-load.php';
Jetpack_Options::update_option( 'id', 12345 );
Jetpack_Options::update_option( 'blog_token', $site['blog_token'] );
if ( $site['user_token'] ) {
	Jetpack_Options::update_option( 'user_tokens', array( 1 => $site['user_token'] ) );
	Jetpack_Options::update_option( 'master_user', 1 );
}
flush_rewrite_rules( false );
