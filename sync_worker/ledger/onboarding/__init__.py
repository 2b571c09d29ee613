"""How far sites have come to work: their steps, looks at their catalogues, and proposed pairs."""
