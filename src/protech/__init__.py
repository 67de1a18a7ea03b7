"""Protech: screening of images for people who want not to see them, and for those who must."""

__version__ = "0.1.0"

RELEASED = "2026-11-23"
"""When this version was made; `protech doctor` tells its age from it."""
