"""Tables for the book's pages, made from records."""
