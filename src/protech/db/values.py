"""What a database gives and takes."""

Value = str | int | float | bytes | None
Row = tuple[Value, ...]
