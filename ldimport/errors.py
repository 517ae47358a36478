"""Every error a user can meet, each with its exit code and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from functools import cache
from types import MappingProxyType

from ldimport.causes import Cause, KnownCause


class ExitCode(IntEnum):
    """Exit codes of every command: the one table that help, README and docs are made from.

    ``word`` is for the list that names all of them, ``meaning`` for a line of its own, ``cron``
    says what a job that runs unattended should do about it.
    """

    word: str
    meaning: str
    cron: str

    def __new__(cls, code: int, word: str = "", meaning: str = "", cron: str = "") -> ExitCode:
        """A member that is the number, and knows the words to it."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.word, member.meaning, member.cron = word, meaning, cron
        return member

    # fmt: off
    OK = 0, "done", "all done, or nothing to do and nothing failed", "be quiet"
    FAILURES = 1, "some images failed", "finished, some images failed", "tell somebody"
    USAGE = (2, "usage", "usage: unknown command, option, job; a file that is not there",
             "tell somebody")
    INVALID = (3, "manifest has errors",
               "the manifest has errors and nothing was sent, or it cannot be read",
               "tell somebody")
    CONFIG = (4, "config or authorisation",
              "config, authorisation, state file that is not ours, missing extra",
              "tell somebody")
    TEMPORARY = (5, "temporary, run again", "temporary: target unreachable, disk full; run again",
                 "run again")
    QUOTA = (6, "quota, run again later", "quota reached; run again at the time printed",
             "run again later")
    LOCKED = 7, "another run at work", "another run holds the state file", "be quiet"
    DEADLINE = 8, "deadline", "deadline passed, jobs still running", "run again"
    REFUSED = (10, "job failed or lost, request refused",
               "a job failed as a whole or was lost, or the target refused", "tell somebody")
    FAILURE_LIMIT = 11, "failure limit", "stopped by the failure limit", "tell somebody"
    BUG = 70, "a bug", "a bug in ldimport; it names a crash file", "report it"
    INTERRUPTED = 130, "interrupted", "interrupted, state is safe", "run again"
    TERMINATED = 143, "terminated", "terminated, state is safe", "run again"
    # fmt: on


# fmt: off
PRECEDENCE = (
    ExitCode.BUG, ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.USAGE, ExitCode.CONFIG,
    ExitCode.LOCKED, ExitCode.REFUSED, ExitCode.FAILURE_LIMIT, ExitCode.TEMPORARY, ExitCode.QUOTA,
    ExitCode.DEADLINE, ExitCode.INVALID, ExitCode.FAILURES, ExitCode.OK,
)
# fmt: on
"""When several codes apply, the first of them here is the exit code."""


def worst(*codes: ExitCode) -> ExitCode:
    """The one code to exit with when all of ``codes`` apply; OK for none."""
    return next((code for code in PRECEDENCE if code in codes), ExitCode.OK)


class LdimportError(Exception):
    """Something a person can understand and act on; never shown as a traceback.

    ``message`` says in one line what happened and names the thing; ``hint`` what to do next;
    ``code`` is a stable word for scripts (``no-such-file``); ``facts`` are label/text pairs
    shown below the message (``where``, ``why``, ``state``).
    """

    exit_code = ExitCode.BUG
    default_code = "error"

    def __init_subclass__(cls, code: str = "", exit_code: ExitCode | None = None) -> None:
        """A class names the code of its errors and their exit code, where they are not those of
        the class above."""
        cls.default_code = code or cls.default_code
        cls.exit_code = exit_code or cls.exit_code

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        code: str | None = None,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code or self.default_code
        self.facts = dict(facts or {})


def near(word: str, known: Iterable[str], kind: str = "") -> str | None:
    """The known word that this one probably stands for: by its meaning, where ``kind`` names a
    table of ``meanings.toml``, else by its spelling."""
    from difflib import get_close_matches

    folded = {each.casefold(): each for each in known}
    wanted = word.casefold()
    meant = _meanings()[kind].get(wanted.removeprefix("li-"), "") if kind else ""
    if meant.casefold() in folded:
        return folded[meant.casefold()]
    found = get_close_matches(wanted, folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


@cache
def _meanings() -> dict[str, dict[str, str]]:
    import tomllib
    from importlib import resources

    return tomllib.loads(resources.files(__package__).joinpath("meanings.toml").read_text("utf-8"))


def did_you_mean(word: str, known: Iterable[str], otherwise: str, kind: str = "") -> str:
    """The hint for a word that is none of the known ones; ``kind`` as in ``near``."""
    meant = near(word, known, kind)
    return f"did you mean {meant}?" if meant else otherwise


def how_to_install(extra: str) -> str:
    """The hint for a part of ours that is not installed. There is no release yet, so it is
    installed from a clone."""
    return f"pip install '.[{extra}]'   in the clone of ldimport, where pyproject.toml is"


class UsageError(LdimportError, code="usage", exit_code=ExitCode.USAGE):
    """The command cannot be carried out as it was written."""


class ManifestError(LdimportError, code="manifest", exit_code=ExitCode.INVALID):
    """The manifest has errors and nothing was sent, or it cannot be read as a manifest."""


class ConfigError(LdimportError, code="config", exit_code=ExitCode.CONFIG):
    """Settings, project config or installation stand in the way; a port that is taken."""


class AuthError(ConfigError, code="unauthorized"):
    """The target refused the token (HTTP 401 or 403), or there is none."""


class UnexpectedAnswerError(ConfigError, code="unexpected-answer"):
    """The target answered with JSON that is not what its API answers there."""


class StateFileError(ConfigError, code="state"):
    """A state file or engine folder that is not ours, is damaged, or was written by a newer one."""


class TemporaryError(LdimportError, code="temporary", exit_code=ExitCode.TEMPORARY):
    """It may work later with the same command: network, disk, a busy target."""


class QuotaError(LdimportError, code="quota", exit_code=ExitCode.QUOTA):
    """The target's daily quota does not admit this batch (HTTP 429).

    ``limit`` uploads in 24 hours are allowed, ``used`` are used, the batch tried ``trying`` more;
    each is None where the target did not say, and so is ``retry_after``, in seconds. From
    ``resume_at`` on (Unix time) ``fits`` more images fit, or from an earlier time, which nobody
    knows, where this is one ``at_the_latest``.
    """

    resume_at: float | None = None
    fits: int | None = None
    at_the_latest: bool = False

    def __init__(
        self,
        message: str,
        *,
        limit: int | None = None,
        used: int | None = None,
        trying: int | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.limit, self.used, self.trying = limit, used, trying
        self.retry_after = retry_after


class LockedError(LdimportError, code="locked", exit_code=ExitCode.LOCKED):
    """Another run holds the state file; ``holder`` says who (see ``system.ProcessLock``)."""

    holder: Mapping[str, object] = MappingProxyType({})


class DeadlineError(LdimportError, code="deadline", exit_code=ExitCode.DEADLINE):
    """``--deadline`` passed while jobs were still running."""


class RefusedError(LdimportError, code="refused", exit_code=ExitCode.REFUSED):
    """The target refused the request, or a job failed as a whole or was lost."""


class InvalidRequestError(RefusedError, code="bad-request"):
    """The request breaks the API's rules and nothing of it was accepted (HTTP 400).

    ``details`` maps a dotted path (``images.0.url``) to what is wrong there, as the API's
    ``error_details`` does.
    """

    def __init__(self, details: Mapping[str, str], message: str | None = None) -> None:
        path, text = next(iter(details.items()), ("", "the request is not valid"))
        super().__init__(message or (f"{path}: {text}" if path else text))
        self.details = dict(details)


class TooLargeError(RefusedError, code="too-large"):
    """The body was larger than the target takes (HTTP 413); ``size`` is what was sent, in bytes."""

    def __init__(self, message: str, *, size: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.size = size


class KeyConflictError(RefusedError, code="key-conflict"):
    """This Idempotency-Key was used before for another body (HTTP 409)."""


class NotFoundError(RefusedError, code="not-found"):
    """The target has nothing under this id (HTTP 404)."""


class ConflictError(RefusedError, code="conflict"):
    """Somebody changed it since the caller looked (HTTP 409)."""


class FailureLimitError(LdimportError, code="failure-limit", exit_code=ExitCode.FAILURE_LIMIT):
    """Stopped because more images failed than ``--max-failures`` allows."""


class Rejected(Exception):  # noqa: N818  it is an answer about one image, not an error of a run
    """One image is not imported; the others go on.

    ``why`` is the cause, with its parameter if it has one; ``reason`` one line for a person with
    the details of this image, by default the cause's meaning.
    """

    def __init__(self, why: Cause | KnownCause, reason: str | None = None) -> None:
        self.why = why.with_() if isinstance(why, Cause) else why
        self.reason = reason or self.why.meaning
        super().__init__(self.reason)

    @property
    def code(self) -> str:
        """The code of the cause."""
        return self.why.code

    @property
    def retryable(self) -> bool:
        """Whether the same request may work later."""
        return self.why.retryable


def over_bytes(size: str, most: int) -> Rejected:
    """The refusal of a file of ``size`` (in words), which may have ``most`` bytes."""
    return Rejected(Cause.TOO_MANY_BYTES, f"the file has {size}, the limit is {most:,}")


class Terminated(KeyboardInterrupt):
    """The process was told to end (SIGTERM); exit code 143 instead of 130."""

    exit_code = ExitCode.TERMINATED
