"""Resamples of runs and test images, and what they say of the claims."""
