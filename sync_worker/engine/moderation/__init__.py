"""What a side's own moderation means for a link: waiting, rejected, withdrawn, read-only records.

Comes in: the view of a run. Goes out: other actions, the writes that show or hide a record.
"""
