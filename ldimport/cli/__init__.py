"""The command line: one thin file per command, everything said through ``output``.

Importing this costs nothing: ``--version`` is answered before typer is imported, and each
command's module is imported when it is called.
"""

import sys


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code; the console script exits with it."""
    arguments = sys.argv[1:] if argv is None else argv
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--version" in own or "-V" in own:
        from ldimport import __version__

        sys.stdout.write(f"ldimport {__version__}\n")
        return 0
    from ldimport.cli.run import run

    return run(arguments)
