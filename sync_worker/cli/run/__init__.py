"""Commands that run things: all parts of a machine, a stand-in, a demo, or a task of upkeep."""
