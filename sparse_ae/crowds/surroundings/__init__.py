"""The surroundings of a crowd: floor, walls, sky and props."""
