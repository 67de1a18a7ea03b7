"""The local page of a case: who shares listed files, where, at which level of proof."""
