"""``ratings-sync imports``: files of ratings that workers import."""
