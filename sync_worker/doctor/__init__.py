"""What is wrong with an installation, and what a system really does.

In: settings and live systems. Out: checks in words, each with its next step.
"""
