"""An authority's side: what its people sign, and what is then served."""
