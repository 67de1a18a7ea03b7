"""Models and their cards: what a model is, what was measured of it, how it is opened."""
