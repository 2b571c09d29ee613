"""Files of ratings that people have sent: their rows, what became of each, and whose turn it is."""
