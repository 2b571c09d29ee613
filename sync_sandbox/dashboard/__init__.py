"""A stand-in for the dashboard of Wix, where the owners of further sites install the app.

In: what an owner clicks. Out: the app's webhooks, the console in a frame, and beside it what
visitors do on the site and in the shop outside.
"""
