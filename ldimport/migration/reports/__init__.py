"""Files that a check or a run leaves behind: lists of problems, rows, reports for CI systems."""
