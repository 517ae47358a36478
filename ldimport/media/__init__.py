"""Bytes -> facts: what an image is, whether it is whole, what its metadata says.

``inspect`` walks structure (png, jpg, gif, svg) without decoding; ``sandbox`` decodes and
sanitises in a limited child process; ``metadata`` reads XMP, IIM and EXIF there. Nothing here
trusts the name, the header or any length written in a file.
"""
