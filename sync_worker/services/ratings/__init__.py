"""Ratings for people: found, looked at one by one, and what happened to them, in words."""
