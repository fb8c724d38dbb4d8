"""One evaluation, and prediction on a user's own photos."""
