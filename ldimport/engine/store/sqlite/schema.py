"""The schema of the catalogue file: a script for each version, which stays as it is for ever."""

from ldimport.database import DatabaseKind, script, statements

FILE = "catalogue.sqlite"
SQL = statements(__package__, "statements.sql")
KIND = DatabaseKind(
    name="engine catalogue",
    application_id=0x6C646963,  # "ldic"
    migrations=tuple(script(__package__, f"schema_{version}.sql") for version in (1, 2, 3, 4)),
    way_out="name another folder with --engine FOLDER",
)
