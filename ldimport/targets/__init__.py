"""Where images go: Livingdocs over HTTP, or the embedded engine, behind one protocol."""
