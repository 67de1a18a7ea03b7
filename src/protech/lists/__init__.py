"""Known lists: their formats, where they live, and how they are searched."""
