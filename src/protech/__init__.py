"""Protech: screening of images for people who want not to see them, and for those who must."""

__version__ = "0.1.0"
