"""The only door to SQLite and PostgreSQL.

``db.postgres`` is imported by whoever shares a database between machines, and by nobody else.
"""

from protech.db.foreign import ForeignDatabase
from protech.db.sqlite import Database
from protech.db.values import Row, Store, Value

__all__ = ["Database", "ForeignDatabase", "Row", "Store", "Value"]
