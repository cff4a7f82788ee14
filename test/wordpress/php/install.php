<?php
// Installs WordPress and activates the plugin, whose tokens are written as the connection
// package stores them. Called with the directory of WordPress.
define( 'WP_INSTALLING', true );
$site = json_decode( file_get_contents( $argv[1] . '/site.json' ), true );
$_SERVER['HTTP_HOST']   = parse_url( $site['home'], PHP_URL_HOST );
$_SERVER['REQUEST_URI'] = '/wp-admin/install.php';
require $argv[1] . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
wp_install( 'A site', 'owner', 'owner@example.org', true, '', wp_generate_password() );
update_option( 'home', rtrim( $site['home'], '/' ) );
update_option( 'siteurl', rtrim( $site['core'], '/' ) );
update_option( 'template', 'plain' );
update_option( 'stylesheet', 'plain' );
update_option( 'permalink_structure', $site['plain'] ? '' : '/%year%/%postname%/' );
update_option( 'active_plugins', array( $site['plugin'] ) );
