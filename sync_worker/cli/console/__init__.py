"""``ratings-sync console``: the pages in the browser, who may use them, tokens of programs."""
