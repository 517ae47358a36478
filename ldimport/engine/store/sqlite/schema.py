"""The schema of the catalogue file, and of the search index beside it: a script for each version,
which stays as it is for ever."""

from ldimport.database import DatabaseKind, script, statements

FILE = "catalogue.sqlite"
SEARCH_FILE = "search.sqlite"
"""What is in it was read in the catalogue, and can be read again: it may be removed."""
SQL = statements(__package__, "statements.sql")
KIND = DatabaseKind(
    name="engine catalogue",
    application_id=0x6C646963,  # "ldic"
    migrations=tuple(script(__package__, f"schema_{version}.sql") for version in (1, 2, 3, 4, 5)),
    way_out="name another folder with --engine FOLDER",
)
SEARCH = DatabaseKind(
    name="search index",
    application_id=0x6C646978,  # "ldix"
    migrations=(script(__package__, "search_1.sql"),),
    way_out="remove it: it is made again",
)
