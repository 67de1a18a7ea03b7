"""The detection engine: media in, findings and verdict out."""
