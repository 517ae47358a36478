"""The state file behind one object: every entry ever sent, every job, every result.

Nothing outside knows that it is SQLite: methods take and return the types of ``migration.model``
and ``migration.batch``.
"""

from ldimport.migration.store.queries import StateStore as StateStore
