"""The console: what a support person and a site's owner see and do in the browser.

In: requests of people. Out: pages. Its own process; it asks services, opens no sealed secret and
calls no remote.
"""
