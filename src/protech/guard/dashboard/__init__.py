"""The person's local page: what is hidden, what is protected, and the pause."""
