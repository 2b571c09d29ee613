<?php
/**
 * As much of WordPress as docs/woocommerce/ratings-sync-webhooks.php uses: its hooks, called as WordPress calls them
 * (developer.wordpress.org/reference/hooks), and comments. Prints what was told to ratings-sync and which
 * products were counted anew, act by act, as JSON.
 *
 * Usage: php companion.php PLUGIN
 */

declare( strict_types = 1 );

set_error_handler(
	static function ( int $level, string $message, string $file, int $line ): bool {
		throw new ErrorException( $message, 0, $level, $file, $line );
	}
);

define( 'ABSPATH', __DIR__ . '/' );

final class WP_Comment {
	public string $comment_ID;
	public string $comment_type;
	public string $comment_post_ID = '22';

	public function __construct( int $id, string $type ) {
		$this->comment_ID   = (string) $id;
		$this->comment_type = $type;
	}
}

/** As much of WooCommerce as the plugin calls: what recounts the stars of a product. */
final class WC_Comments {
	public static function clear_transients( $post_id ): void {
		global $recounted;
		$recounted[] = $post_id;
	}
}

$comments = array();
$actions  = array();
$told     = array();
// Products whose stars were counted anew.
$recounted = array();

function get_comment( $id ): ?WP_Comment {
	global $comments;
	return $comments[ (int) $id ] ?? null;
}

function add_action( string $hook, callable $callback, int $priority = 10, int $accepted_args = 1 ): bool {
	global $actions;
	$actions[ $hook ][] = array( $callback, $accepted_args );
	return true;
}

function do_action( string $hook, ...$arguments ): void {
	global $actions, $told;
	if ( str_starts_with( $hook, 'woocommerce_' ) ) {
		$told[] = array( $hook, ...$arguments );
	}
	foreach ( $actions[ $hook ] ?? array() as list( $callback, $accepted ) ) {
		$callback( ...array_slice( $arguments, 0, $accepted ) );
	}
}

function insert( int $id, string $type ): void {
	global $comments;
	$comments[ $id ] = new WP_Comment( $id, $type );
	do_action( 'wp_insert_comment', $id, $comments[ $id ] );
}

function delete_for_good( int $id ): void {
	global $comments;
	$comment = $comments[ $id ];
	do_action( 'delete_comment', (string) $id, $comment );
	// wp_delete_comment takes the meta first, while the comment is still there.
	do_action( 'deleted_comment_meta', array( '70' ), $id, 'rating', '' );
	unset( $comments[ $id ] );
	do_action( 'deleted_comment', (string) $id, $comment );
}

$acts = array(
	'a review is inserted'            => static fn() => insert( 7, 'review' ),
	'its stars are stored'            => static fn() => do_action( 'added_comment_meta', 70, 7, 'rating', '4' ),
	'something else is stored'        => static fn() => do_action( 'added_comment_meta', 71, 7, 'verified', '1' ),
	'its stars are changed'           => static fn() => do_action( 'updated_comment_meta', 70, 7, 'rating', '5' ),
	'its stars are taken away'        => static fn() => do_action( 'deleted_comment_meta', array( '70' ), 7, 'rating', '' ),
	'its text is edited'              => static fn() => do_action( 'edit_comment', 7, array( 'comment_content' => 'x' ) ),
	'it is held back'                 => static fn() => do_action( 'wp_set_comment_status', '7', 'hold' ),
	'it is put into the trash'        => static fn() => do_action( 'wp_set_comment_status', '7', 'trash' ),
	'it is deleted for good'          => static fn() => delete_for_good( 7 ),
	'a comment on a post is inserted' => static fn() => insert( 8, 'comment' ),
	'that comment gets stars'         => static fn() => do_action( 'added_comment_meta', 80, 8, 'rating', '4' ),
	'that comment is edited'          => static fn() => do_action( 'edit_comment', 8, array() ),
	'that comment is deleted'         => static fn() => delete_for_good( 8 ),
	'an order note is inserted'       => static fn() => insert( 9, 'order_note' ),
	'an unknown comment is edited'    => static fn() => do_action( 'edit_comment', 404, array() ),
);

require $argv[1];

$report = array();
foreach ( $acts as $name => $act ) {
	$told      = array();
	$recounted = array();
	$act();
	$report[ $name ] = array( 'told' => $told, 'recounted' => $recounted );
}
echo json_encode( $report, JSON_THROW_ON_ERROR );
