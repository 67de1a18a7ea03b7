"""Triage: finds known and likely files among an examiner's many."""
