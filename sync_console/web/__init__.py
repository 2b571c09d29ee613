"""What all pages share: headers, session, rights, forms, words, errors."""
