"""Wix Reviews as a site shows it: what a plain look tells, and what a probe finds out.

In: a site's connection to Wix. Out: lines of the doctor, and words to be kept with the site.
"""
