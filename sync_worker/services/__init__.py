"""What people ask and do, the same for commands and for pages.

In: what the rooms know. Out: answers in words, each with its next step.
"""
