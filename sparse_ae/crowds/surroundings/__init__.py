"""The surroundings of a crowd: floor, walls, sky, and the props that stand about."""
