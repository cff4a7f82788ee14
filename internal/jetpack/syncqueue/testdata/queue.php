<?php
// Runs operations on the queue class of a real Jetpack: php queue.php DIRECTORY_OF_ITS_SYNC_PACKAGE.
// Reads one operation a line as JSON, and answers one line of JSON to each. The database is an
// array, and the clock stands still but for the operation "time".

namespace {
	class WP_Error {
		public function __construct( public string $code ) {}
	}
	function is_wp_error( $thing ) {
		return $thing instanceof WP_Error;
	}
	function wp_rand( $low, $high ) {
		return $low;
	}
	class Clock {
		public static int $micros = 1700000000000000;
	}

	// Wpdb knows the statements of the queue and its storage, and no others.
	class Wpdb {
		public string $options = 'wp_options';
		public array $rows     = array();

		public function prepare( $sql, ...$args ) {
			return array( $sql, count( $args ) === 1 && is_array( $args[0] ) ? $args[0] : $args );
		}
		private function like( string $pattern ): array {
			$names = array_filter( array_keys( $this->rows ), fn( $name ) => str_starts_with( $name, rtrim( $pattern, '%' ) ) );
			sort( $names, SORT_STRING );
			return $names;
		}
		private function unknown( $sql ) {
			fwrite( STDERR, "a statement that the test does not know: $sql\n" );
			exit( 1 );
		}
		public function query( $q ) {
			[ $sql, $args ] = $q;
			switch ( strtok( trim( $sql ), ' ' ) ) {
				case 'INSERT':
					if ( isset( $this->rows[ $args[0] ] ) ) {
						return 0;
					}
					$this->rows[ $args[0] ] = $args[1];
					return 1;
				case 'UPDATE':
					if ( ! isset( $this->rows[ $args[1] ] ) || $this->rows[ $args[1] ] === $args[0] ) {
						return 0;
					}
					$this->rows[ $args[1] ] = $args[0];
					return 1;
				case 'DELETE':
					$n = 0;
					foreach ( str_contains( $sql, ' LIKE ' ) ? $this->like( $args[0] ) : $args as $name ) {
						$n += isset( $this->rows[ $name ] ) ? 1 : 0;
						unset( $this->rows[ $name ] );
					}
					return $n;
			}
			$this->unknown( $sql );
		}
		public function get_var( $q ) {
			[ $sql, $args ] = $q;
			if ( str_contains( $sql, 'count(*)' ) ) {
				return count( $this->like( $args[0] ) );
			}
			if ( str_contains( $sql, ' LIKE ' ) ) {
				return $this->like( $args[0] )[0] ?? null;
			}
			return $this->rows[ $args[0] ] ?? null;
		}
		public function get_results( $q, $form ) {
			[ $sql, $args ] = $q;
			if ( str_contains( $sql, ' IN ' ) ) {
				$names = array_intersect( $this->like( '' ), $args );
			} else {
				$names = $this->like( $args[0] );
				$names = isset( $args[1] ) ? array_slice( $names, 0, $args[1] ) : $names;
			}
			$length = str_contains( $sql, 'LENGTH(' );
			return array_values(
				array_map(
					fn( $name ) => (object) ( $length ? array( 'id' => $name, 'value_size' => strlen( $this->rows[ $name ] ) ) : array( 'id' => $name, 'value' => $this->rows[ $name ] ) ),
					$names
				)
			);
		}
	}
	const OBJECT = 'OBJECT';
}

namespace Automattic\Jetpack\Sync\Queue {
	function microtime( $float ) {
		return \Clock::$micros / 1e6;
	}
}

namespace Automattic\Jetpack\Sync {
	class Settings {
		public static function is_custom_queue_table_enabled() {
			return false;
		}
	}
	class Defaults {
		public static $default_sync_queue_lock_timeout = 120;
	}
	function time() {
		return intdiv( \Clock::$micros, 1000000 );
	}
	function microtime( $float ) {
		return \Clock::$micros++ / 1e6;
	}
	function sleep( $seconds ) {
		\Clock::$micros += $seconds * 1000000;
	}
	foreach ( array( 'class-utils', 'class-queue-buffer', 'class-queue', 'sync-queue/class-queue-storage-options' ) as $file ) {
		require $argv[1] . '/src/' . $file . '.php';
	}
	$wpdb    = new \Wpdb();
	$queue   = new Queue( 'sync' );
	$buffers = array( null );
	$out     = function ( $got ) use ( &$buffers ) {
		if ( $got instanceof \WP_Error ) {
			return array( 'error' => $got->code );
		}
		if ( ! $got instanceof Queue_Buffer ) {
			return array();
		}
		$buffers[] = $got;
		return array( 'buffer' => true, 'items' => $got->get_item_values() );
	};
	$ids     = function ( $op ) use ( &$buffers ) {
		$buffer = $buffers[ $op->buffer ];
		return array_slice( $buffer ? $buffer->get_item_ids() : array(), 0, $op->n );
	};
	// A checkout that gave nothing has left its lock; it is no buffer that can come back.
	$forget = function () use ( $queue, &$buffers, &$given ) {
		$buffers = array_slice( $buffers, 0, $given );
		$queue->force_checkin();
	};
	while ( ( $line = fgets( STDIN ) ) !== false ) {
		$op     = json_decode( $line );
		$given  = 'forget' === $op->op ? $given : count( $buffers );
		$answer = match ( $op->op ) {
			'add' => $out( $queue->add( $op->value ) ),
			'checkout' => $out( $queue->checkout( $op->n ) ),
			'checkout_bytes' => $out( $queue->checkout_with_memory_limit( $op->bytes, $op->n ) ),
			'checkin' => $out( $queue->checkin( $buffers[ $op->buffer ] ) ),
			'close' => $out( $queue->close( $buffers[ $op->buffer ] ) ),
			'close_items' => $out( $queue->close( $buffers[ $op->buffer ], $ids( $op ) ) ),
			'lock' => $out( $queue->lock( 30 ) ),
			'unlock' => $out( $queue->unlock() ),
			'force_checkin' => $out( $queue->force_checkin() ),
			'forget' => $out( $forget() ),
			'time' => $out( \Clock::$micros += $op->n ),
		};
		$answer['size']   = $queue->size();
		$answer['locked'] = $queue->is_locked();
		echo json_encode( $answer ), "\n";
	}
}
