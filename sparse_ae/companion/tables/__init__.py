"""Tables of a page, made of records."""
