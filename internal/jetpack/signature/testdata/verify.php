<?php
// Verifies requests with the plugin's own classes and WordPress's own functions, and prints
// what they say of each: php verify.php JETPACK_DIR WORDPRESS_DIR < requests.json
//
// Only what lies around them is replaced: options, users, nonces, the clock, the filters. As in
// a real request the signature is verified before WordPress adds slashes to $_GET and $_SERVER.

namespace {
	error_reporting( E_ALL & ~E_DEPRECATED & ~E_WARNING & ~E_NOTICE );
	define( 'ABSPATH', rtrim( $argv[2], '/' ) . '/' );
	define( 'WPINC', 'wp-includes' );
	foreach ( array( 'version', 'compat', 'plugin', 'load', 'functions', 'formatting', 'kses', 'http' ) as $file ) {
		require_once ABSPATH . WPINC . "/$file.php";
	}
	$GLOBALS['connection'] = rtrim( $argv[1], '/' ) . '/jetpack_vendor/automattic/jetpack-connection';

	class WP_Error {
		public $code, $message;
		public function __construct( $code = '', $message = '' ) {
			$this->code    = $code;
			$this->message = $message;
		}
		public function add_data() {}
	}
	function __( $text ) {
		return $text;
	}
	class WP_User {
		public $id;
		public function __construct( $id ) {
			$this->id = $id;
		}
		public function exists() {
			return in_array( $this->id, $GLOBALS['users'], true );
		}
	}
	class Jetpack_Options {
		public static function get_option( $name ) {
			return $GLOBALS['options'][ $name ] ?? false;
		}
	}
	require_once $GLOBALS['connection'] . '/legacy/class-jetpack-signature.php';
}

namespace Automattic\Jetpack {
	class Constants {
		public static function get_constant( $name ) {
			return 'JETPACK__API_VERSION' === $name ? 1 : null;
		}
	}
}

namespace Automattic\Jetpack\Connection {
	class Nonce_Handler {
		public function add( $timestamp, $nonce ) {
			return true;
		}
	}
	require_once $GLOBALS['connection'] . '/src/interface-manager.php';
	require_once $GLOBALS['connection'] . '/src/class-tokens.php';
	require_once $GLOBALS['connection'] . '/src/class-manager.php';

	function verify( $r ) {
		$now                = $r['now'];
		$GLOBALS['users']   = $r['users'];
		$GLOBALS['options'] = array(
			'blog_token'  => $r['blog'],
			'user_tokens' => (array) $r['tokens'],
			// The site's clock cannot be set, but the difference that it has learned can.
			'time_diff'   => $now - time(),
		);
		$_SERVER = array(
			'HTTP_HOST'      => base64_decode( $r['host'] ),
			'REQUEST_URI'    => base64_decode( $r['uri'] ),
			'REQUEST_METHOD' => $r['method'],
			'SERVER_PORT'    => (string) $r['port'],
		);
		$_SERVER['HTTPS'] = $r['https'] ? 'on' : 'off';
		if ( '' !== $r['forwarded'] ) {
			$_SERVER['HTTP_X_FORWARDED_PORT'] = $r['forwarded'];
		}
		$_POST = array();
		parse_str( explode( '?', $_SERVER['REQUEST_URI'], 2 )[1] ?? '', $_GET );
		$class   = new \ReflectionClass( Manager::class );
		$manager = $class->newInstanceWithoutConstructor();
		foreach ( array( 'raw_post_data' => base64_decode( $r['body'] ) ) as $name => $value ) {
			$property = $class->getProperty( $name );
			$property->setAccessible( true );
			$property->setValue( $manager, $value );
		}
		$method = $class->getMethod( 'internal_verify_xml_rpc_signature' );
		$method->setAccessible( true );
		try {
			$got = $method->invoke( $manager );
		} catch ( \TypeError $e ) {
			return 'fatal';
		}
		if ( false === $got ) {
			return 'unsigned';
		}
		return is_wp_error( $got ) ? $got->code . ': ' . $got->message : "accepted: {$got['type']} {$got['user_id']}";
	}

	$answers = array_map( __NAMESPACE__ . '\verify', json_decode( stream_get_contents( STDIN ), true ) );
	preg_match( "/PACKAGE_VERSION = '([^']+)'/", file_get_contents( $GLOBALS['connection'] . '/src/class-package-version.php' ), $found );
	echo json_encode(
		array(
			'versions' => "connection {$found[1]}, WordPress $wp_version, PHP " . PHP_VERSION,
			'answers'  => $answers,
		)
	);
}
