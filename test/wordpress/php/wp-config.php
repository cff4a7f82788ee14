<?php
// The configuration of a site of a test. Files of config.d are read first, so a test can
// define what it wants to be different.
$site = json_decode( file_get_contents( __DIR__ . '/site.json' ), true );
foreach ( glob( __DIR__ . '/config.d/*.php' ) as $file ) {
	require $file;
}
$constants = array(
	'DB_NAME'                    => $site['db_name'],
	'DB_USER'                    => $site['db_user'],
	'DB_PASSWORD'                => $site['db_password'],
	'DB_HOST'                    => $site['db_host'],
	'DB_CHARSET'                 => 'utf8mb4',
	'DB_COLLATE'                 => '',
	'WP_HTTP_BLOCK_EXTERNAL'     => true,
	'AUTOMATIC_UPDATER_DISABLED' => true,
	'WP_DEBUG'                   => false,
);
foreach ( array( 'AUTH_KEY', 'SECURE_AUTH_KEY', 'LOGGED_IN_KEY', 'NONCE_KEY', 'AUTH_SALT', 'SECURE_AUTH_SALT', 'LOGGED_IN_SALT', 'NONCE_SALT' ) as $name ) {
	$constants[ $name ] = $name . $site['db_name'];
}
foreach ( $constants as $name => $value ) {
	defined( $name ) || define( $name, $value );
}
$table_prefix = 'wp_';
defined( 'ABSPATH' ) || define( 'ABSPATH', __DIR__ . '/' );
require_once ABSPATH . 'wp-settings.php';
