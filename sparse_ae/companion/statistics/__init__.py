"""Resamples of runs and test images, and what they say about the claims."""
