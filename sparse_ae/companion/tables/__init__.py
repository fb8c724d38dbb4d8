"""Records as tables of a page."""
