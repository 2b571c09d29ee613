"""Sites as people look after them: the list, pauses, policies as questions, maps of products."""
