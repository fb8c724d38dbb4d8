"""The people of a crowd: bodies, clothes, hair, and how they are shaded."""
