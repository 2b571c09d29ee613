"""What a live external system shows, read through each path that its manifest declares.

In: a manifest with real settings. Out: findings with the key to change. Nothing is written.
"""
