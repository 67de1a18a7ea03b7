"""Who shares a listed file, proved, and nothing more: for an authorised unit alone."""
