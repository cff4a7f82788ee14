<?php
// Runs the code of its standard input inside WordPress. Called with the directory of WordPress.
$site = json_decode( file_get_contents( $argv[1] . '/site.json' ), true );
$_SERVER['HTTP_HOST'] = parse_url( $site['home'], PHP_URL_HOST );
require $argv[1] . '/wp-load.php';
eval( stream_get_contents( STDIN ) );
