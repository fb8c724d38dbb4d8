"""How a scene becomes a picture: camera, light, rasteriser, lens and noise."""
