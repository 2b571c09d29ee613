"""What Wix leaves open about its Reviews, as switches: a client has to be right either way."""

from __future__ import annotations

QUIRKS = {
    "organic_read_only": "an app's update of a review that a visitor wrote is answered with 403",
    "organic_is_conflict": "an app's update of a visitor's review is answered with 409 for ever",
    "moderation_keeps_revision": "a moderator's decision leaves the revision alone",
    "moderation_bumps_revision": "a moderator's decision raises the revision",
    "patch_replaces_content": "an update replaces the content: what it leaves out is gone",
    "reply_bumps_revision": "a reply raises the revision",
    "votes_emit_updated": "a vote raises the revision and is told as an update",
    "created_as_submitted": "a create is answered before the moderation rules ran",
    "duplicate_is_400": "a second review of one author is answered with 400 instead of 409",
    "rejected_does_not_block": "a rejected review leaves room for a second one",
    "unknown_product": "Create Review does not know the product",
    "delete_event_is_empty": "the delete event carries no review",
    "no_previous_status": "the moderation event does not name the status before",
    "private_needs_permission": "unpublished reviews are silently left out, whatever is asked for",
    "no_contact_filter": "a query cannot be filtered by author.contactId",
    "revision_as_number": "revisions are numbers in answers and events",
    "null_keeps_text": "an update with null leaves the text as it was",
    "html_in_text_kept": "tags in a title or body are kept; otherwise they are stripped",
    "author_name_is_null": "the author's name is not kept",
}
DEFAULTS = {"moderation_keeps_revision": 1.0}
"""Switches that are on unless somebody turns them off."""
