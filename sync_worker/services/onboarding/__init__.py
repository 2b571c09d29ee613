"""How a site comes to work, by steps that can be left and resumed.

In: a site, and what its owner gives and confirms. Out: what is done, and the next step in words.
"""
