"""The store on SQLite; nothing of SQLite leaves this package."""
