"""Records that a court can check: an append-only log, time stamps, reports, a verifier."""
