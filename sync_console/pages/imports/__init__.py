"""Files of ratings in the browser: sent, looked at, said yes to, imported, and their result."""
