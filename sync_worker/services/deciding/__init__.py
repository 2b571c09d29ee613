"""What a person decides about one rating: make both sides the same, undo, compare, stop.

In comes who asks and what for; out goes the number of a delivery that a worker processes.
"""
