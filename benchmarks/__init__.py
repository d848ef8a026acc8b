"""Measurements: every figure is a ratio, or stands beside one, taken side by side in one run."""
