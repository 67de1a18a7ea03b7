"""The files that known lists come in, one module each; read only in a locked process."""
