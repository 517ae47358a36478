"""Bytes -> facts: ``inspect`` walks structure (png, jpg, gif, svg) without decoding; ``sandbox``
decodes, sanitises and reads metadata in a limited child process. Nothing here trusts the name, the
header or any length written in a file."""
