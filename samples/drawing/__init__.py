"""What draw.py draws with: scenes and graphics, and metadata inside JPEGs."""
