"""The guard: hides what must not be shown before a person's browser displays it."""
