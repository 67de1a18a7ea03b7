"""BitTorrent: who names a peer for a listed file, what the peer claims, and one piece of it."""
