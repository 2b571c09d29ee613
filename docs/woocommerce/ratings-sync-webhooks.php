<?php
/**
 * Plugin Name: ratings-sync webhooks
 * Description: Tells ratings-sync of every new, changed, moderated and deleted product review, and keeps the shop's own stars exact.
 * License: MIT
 *
 * Put this file into wp-content/mu-plugins/ of the shop. It sends nothing itself: it fires three actions, and the three
 * WooCommerce webhooks with the topics action.woocommerce_rating_sync_created, …_updated and …_deleted deliver them.
 * `ratings-sync connector webhooks register woocommerce --url …` makes these webhooks.
 *
 * Why it is needed: WooCommerce has webhooks for orders, products, customers and coupons, but none for reviews. It takes
 * any topic that begins with action.woocommerce_ or action.wc_, so an action of our own can be one; WordPress' own
 * wp_insert_comment cannot. The argument of the action is the id of the review, and the body that WooCommerce sends is
 * {"action":"woocommerce_rating_sync_updated","arg":4711}.
 */

defined( 'ABSPATH' ) || exit;

/**
 * Fires woocommerce_rating_sync_{event} with the id, if the comment is a product review.
 *
 * @param string          $event      created, updated or deleted.
 * @param int|string      $comment_id Id of the comment.
 * @param WP_Comment|null $comment    The comment, where the hook brings it: after a delete it is there no more.
 */
function ratings_sync_tell( string $event, $comment_id, $comment = null ): void {
	if ( ! $comment instanceof WP_Comment ) {
		$comment = get_comment( $comment_id );
	}
	if ( $comment instanceof WP_Comment && 'review' === $comment->comment_type ) {
		do_action( "woocommerce_rating_sync_$event", (int) $comment_id );
	}
}

// A new review: from the shop's pages, from the REST API, from an import. Its stars are stored a moment later (below).
add_action(
	'wp_insert_comment',
	static function ( $comment_id, $comment = null ): void {
		ratings_sync_tell( 'created', $comment_id, $comment );
	},
	99,
	2
);

// Text or author edited, in the admin pages or over REST.
add_action(
	'edit_comment',
	static function ( $comment_id ): void {
		ratings_sync_tell( 'updated', $comment_id );
	},
	99,
	1
);

// Approved, held, marked as spam, put into the trash or taken out of it.
add_action(
	'wp_set_comment_status',
	static function ( $comment_id ): void {
		ratings_sync_tell( 'updated', $comment_id );
	},
	99,
	1
);

/**
 * Has WooCommerce clear and count anew the stars of the product that a review is about.
 *
 * WooCommerce counts when the review is stored, and a write over REST stores the stars after that: without this the
 * product's average shows the write before (0.00 after the first review).
 *
 * @param WP_Comment $comment The review.
 */
function ratings_sync_recount( WP_Comment $comment ): void {
	if ( class_exists( 'WC_Comments' ) ) {
		WC_Comments::clear_transients( (int) $comment->comment_post_ID );
	}
}

// A review that is deleted for good loses its stars on the way: that is no change of them.
add_action(
	'delete_comment',
	static function ( $comment_id ): void {
		ratings_sync_is_going( (int) $comment_id, true );
	},
	99,
	1
);

/**
 * Whether a comment is being deleted for good in this request.
 *
 * @param int  $comment_id Id of the comment.
 * @param bool $begins     From now on it is.
 */
function ratings_sync_is_going( int $comment_id, bool $begins = false ): bool {
	static $going = array();
	if ( $begins ) {
		$going[ $comment_id ] = true;
	}
	return isset( $going[ $comment_id ] );
}

// The stars are comment meta: changing or removing only them fires none of the actions above.
foreach ( array( 'added_comment_meta', 'updated_comment_meta', 'deleted_comment_meta' ) as $ratings_sync_hook ) {
	add_action(
		$ratings_sync_hook,
		static function ( $meta_ids, $comment_id, $meta_key ): void {
			if ( 'rating' !== $meta_key || ratings_sync_is_going( (int) $comment_id ) ) {
				return;
			}
			$comment = get_comment( $comment_id );
			if ( $comment instanceof WP_Comment && 'review' === $comment->comment_type ) {
				ratings_sync_recount( $comment );
				ratings_sync_tell( 'updated', $comment_id, $comment );
			}
		},
		99,
		3
	);
}
unset( $ratings_sync_hook );

// Gone for good.
add_action(
	'deleted_comment',
	static function ( $comment_id, $comment = null ): void {
		ratings_sync_tell( 'deleted', $comment_id, $comment );
	},
	99,
	2
);
