"""Brings a repository's lists to this device; the only part of ``lists`` with a network."""
