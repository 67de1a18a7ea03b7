"""What a case says to a magistrate and to the defence: the report, its files, field sheets."""
