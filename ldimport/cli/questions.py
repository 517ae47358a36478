"""Questions that are answered by yes or no, on standard error."""

import sys

_YES = ("y", "yes", "j", "ja", "o", "oui", "s", "si", "sì", "sí")
_NO = ("", "n", "no", "nein", "non")


def says_yes(question: str) -> bool:
    """Whether the user says yes; no by default. Asked again where the answer is neither. Raises
    KeyboardInterrupt where nobody is there any more to answer."""
    while True:
        sys.stderr.write(f"{question} [y/N]: ")
        sys.stderr.flush()
        answer = sys.stdin.readline()
        if not answer:
            raise KeyboardInterrupt
        word = answer.strip().casefold()
        if word in _YES or word in _NO:
            return word in _YES
        sys.stderr.write("  answer y or n\n")
