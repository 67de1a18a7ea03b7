"""The proxy that a browser is told to use: mitmproxy, with the guard's hooks alone."""
