"""``protech locate run --lab``: the whole way, against a small hostile swarm of its own."""
