"""Run on several processes and devices, and write files completely or not at all."""
