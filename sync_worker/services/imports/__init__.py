"""Files of ratings into Wix: by a command at once, or sent to the console and run by workers."""
