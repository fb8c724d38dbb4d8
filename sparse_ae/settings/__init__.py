"""The settings of a run, the presets, and the methods that are compared."""
