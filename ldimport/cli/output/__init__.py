"""What the command line says: screens for terminals, lines for logs, JSON for scripts."""
