"""From a scene to a picture: camera, light, rasteriser, lens and noise."""
