"""Records and crowds as figures of a page."""
