"""What a project accepts: its config read, turned into JSON Schema, and rows checked against it."""
