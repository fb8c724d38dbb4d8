"""The place of a crowd: floor, walls, sky, and the things that stand about."""
