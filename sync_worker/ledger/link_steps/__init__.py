"""What SqlLinks does seldom, or leaves to texts of their own: the steps of a run over a link.

A step comes in as the values of the port; statements and their transaction are chosen here.
"""
