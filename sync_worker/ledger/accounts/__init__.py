"""What the shops of sites gave us, and how their remotes take it: tables, sealed secrets, audit."""
