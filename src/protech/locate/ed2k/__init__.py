"""The eDonkey network as eMule and aMule speak it: who has a listed file, one block of it."""
