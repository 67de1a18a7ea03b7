"""A swarm of our own making, of files of random bytes, in which it is known who holds what."""
