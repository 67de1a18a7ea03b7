"""The demo: one page without the guard and with it, on a photo site of its own."""
