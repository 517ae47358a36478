"""Every option and argument of the commands, told once; those that several commands share stand in
dataclasses. ``app`` makes typer's parameters of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer import Argument, Option

from ldimport.errors import UsageError
from ldimport.model import Integrity

if TYPE_CHECKING:
    from ldimport.manifest import ReadOptions
    from ldimport.migration.quota import QuotaRules
    from ldimport.settings import Settings


# fmt: off
TABLE: Mapping[str, Any] = {
    # on every command
    "profile": Option("--profile", "-p", metavar="NAME", help="profile of ldimport.yaml"),
    "config": Option(metavar="FILE", help="config file instead of the one found"),
    "state": Option(metavar="FILE", readable=False, help="state file to use"),
    "target": Option(metavar="URL", help="Livingdocs server, or `embedded`"),
    "api_version": Option(metavar="V", help="v1, or a dated version such as 2026-07"),
    "engine": Option(metavar="FOLDER", readable=False, help="folder of the local engine"),
    "project_config": Option(metavar="FILE", help="project config to check against"),
    "system_name": Option(metavar="NAME", help="name of this archive, for ever"),
    "insecure": Option(help="do not check certificates; anybody can then read along"),
    "json": Option(help="results as JSON on standard output"),
    "quiet": Option("--quiet", "-q", count=True, help="no progress; twice: errors only"),
    "verbose": Option("--verbose", "-v", count=True, help="each job and failure as a line"),
    "log_file": Option(metavar="FILE", help="append all events as JSON Lines"),
    "no_color": Option(help="no colours"),
    # manifests
    "paths": Argument(metavar="MANIFEST...", help="CSV, JSON, JSON Lines or YAML (also .gz); a "
                      "folder, a pattern, or - for standard input"),
    "base_url": Option(metavar="URL", help="relative urls are resolved against it"),
    "lenient": Option(help="rules that Livingdocs documents for publishing alone are warnings"),
    "strict": Option(help="warnings count as errors"),
    "maps": Option("--map", metavar="FIELD=COLUMN", help="take a field from this column"),
    "sets": Option("--set", metavar="FIELD=VALUE", help="a value for rows that have none"),
    "map_values": Option("--map-value", metavar="FIELD:FROM=TO",
                         help="what a word in a field means, as mediaType:Foto=image"),
    "strict_columns": Option(help="take no column for a property by its name alone"),
    "root": Option(metavar="PATH", help="where the list is in a JSON document: assets.items"),
    "encoding": Option(metavar="NAME", help="encoding of the manifest"),
    "delimiter": Option(metavar="CHAR", help="delimiter of a CSV manifest"),
    # the local engine
    "allow_hosts": Option("--allow-host", metavar="HOST[:PORT]",
                          help="let the local engine fetch from this private host, or "
                          "through the NAT64 prefix of this network (64:ff9b::/96)"),
    "integrity": Option(help="decode every image, or only walk its structure"),
    "host": Option(metavar="ADDRESS", help="listen here"),
    "port": Option(min=0, max=65_535, metavar="N", help="0 = any free one"),
    "workers": Option(min=0, metavar="N", help="processes; 0: only the API"),
    "serve.daily_limit": Option(envvar="LDIMPORT_DAILY_LIMIT", min=0, metavar="N",
                                help="images in 24 h; 0 = no limit"),
    "dialect": Option(metavar="seed|2025-03|2026-08", help="whatever the path says"),
    "public_url": Option(metavar="URL", help="address in answers"),
    "user_agent": Option(metavar="TEXT", help="fetch images under this name (User-Agent)"),
    "serve.lenient": Option(envvar="LDIMPORT_LENIENT", help="only the shape of metadata counts"),
    "list.failed": Option(help="those that were given up, or that the receiver wants no more"),
    "waiting": Option(help="those whose next try is to come"),
    "list.job": Option(metavar="ID", help="only that of this job"),
    "list.most": Option("--most", "-n", min=0, metavar="N", help="notifications to show; 0 = all"),
    "resend.ids": Argument(metavar="ID...", help="as `webhooks list` shows them, or a job's"),
    "resend.failed": Option(help="all that were given up, or that the receiver wanted no more"),
    "listen.host": Option(metavar="ADDRESS", help="listen here"),
    "listen.port": Option(min=0, max=65_535, metavar="N", help="0 = any free one"),
    "ui.port": Option(min=0, max=65_535, metavar="N", help="0 = any free one"),
    "no_open": Option(help="only say where the pages are"),
    "unsigned": Option(help="take unsigned notifications from other machines too"),
    "profile_file": Option(metavar="FILE", help="engine settings from this file"),
    "worker.workers": Option(envvar="LDIMPORT_WORKERS", min=1, metavar="N",
                             help="processes; default: one per core"),
    "reset.yes": Option(envvar="LDIMPORT_YES", help="do not ask"),
    "name": Argument(metavar="NAME", help="what it is for"),
    "scope": Option(metavar="SCOPE", help="repeatable; default: all three"),
    "days": Option(min=0, metavar="N", help="until it expires"),
    "token": Argument(metavar="ID", help="as `ldimport token list` shows it"),
    # runs
    "no_wait": Option(help="return after the last batch is accepted"),
    "daily_limit": Option(metavar="N", help="images in 24 h that the target allows; else learned "
                          "from its first refusal"),
    "reserve": Option(metavar="N", help="leave so many of the daily limit to others"),
    "wait_for_quota": Option(help="wait for room instead of ending with 6"),
    "deadline": Option(metavar="TIME", help="end in order after 90s, 30m, 2h; exit 8"),
    "max_failures": Option("--max-failures", "--fail-on", metavar="any|N|N%",
                           help="stop at the first or the N-th failure, or once more than N% "
                           "failed; exit 11"),
    "tries": Option(metavar="N", help="send an image that fails for a passing cause so often by "
                    "itself, over 3 days; 1: never again. Default: 5"),
    "canary": Option(min=1, metavar="N", help="first send N images, spread evenly over all, and go "
                     "on only if few fail: --max-failures, else 10%"),
    "valid_only": Option(help="send the good rows, leave the others"),
    "limit": Option(min=1, metavar="N", help="send at most N images"),
    "batch_size": Option(min=1, max=1_000, metavar="N", help="images in one request"),
    "update": Option(help="changed entries that the target skips as already there are updated "
                     "through its media library"),
    "resend": Option(help="send unchanged images again too"),
    "yes": Option(help="do not ask before the first use of a systemName"),
    "webhook": Option(metavar="URL", help="called when a job ends"),
    "heartbeat": Option(metavar="URL", help="asked at the start (URL/start), at the end (URL) and "
                        "after a failure (URL/fail)"),
    "context": Option(metavar="JSON|@FILE", help="sent along with the webhook"),
    "junitxml": Option("--junitxml", metavar="FILE", help="write a JUnit report"),
    "plan.resend": Option(envvar="LDIMPORT_RESEND",
                          help="as if unchanged images were sent again too"),
    "show": Option(min=0, metavar="N", help="N entries as they would be sent, beside their rows"),
    "dry_run": Option(help="send nothing: show what `plan` shows"),
    "exit_code": Option(help="exit 1 when there is something to send"),
    "retry.job": Option(metavar="ID", help="only those of it"),
    "retry.cause": Option(metavar="CODE", help="only those that failed for it, whether it passes "
                          "or not"),
    "retry.host": Option(metavar="H", help="only those fetched from this host"),
    "older_than": Option(metavar="TIME", help="only those that failed so long ago: 6h, 2d"),
    "ids": Argument(metavar="ID...", help="these images, whatever they failed for"),
    "waive.ids": Argument(metavar="ID...", help="these images"),
    "waive.cause": Option(metavar="CODE", help="those that failed for it"),
    "waive.host": Option(metavar="H", help="those fetched from this host"),
    "waive.file": Option(metavar="FILE", help="those whose ids stand in it: one a line, or in the "
                         "column id or externalId of a table or of JSON Lines; -: standard input"),
    "reason": Option(metavar="TEXT", help="why they are accepted, for the reports"),
    "undo": Option(help="they count as failed again"),
    "jobs": Argument(metavar="ID...", help="these jobs; without: all open ones"),
    # checks
    "problems": Option(metavar="FILE", help="every problem: .csv .jsonl .json .sarif"),
    "write_valid": Option(metavar="FILE", help="the good rows"),
    "write_invalid": Option(metavar="FILE", help="the others, with their problems"),
    "warnings": Option(help="show warnings too, not only their number"),
    "kinds": Option(help="every kind of error and warning, with an example and what to do"),
    "max_problems": Option(min=0, metavar="N", help="problems in --json"),
    "no_annotations": Option(help="no annotations in GitHub Actions"),
    # what is known
    "status.job": Argument(metavar="ID", help="one job; without it: all of them"),
    "offline": Option(help="with ID: do not ask the target about an open job"),
    "exit_status": Option(help="with ID: exit 0 arrived, 1 some failed, 8 running, 10 failed as a "
                          "whole or lost"),
    "most": Option("--most", "-n", min=0, metavar="N", help="jobs to show; 0 = all"),
    "status.failed": Option(help="jobs with failures"),
    "results.failed": Option(help="only failed images"),
    "results.skipped": Option(help="only skipped images"),
    "results.success": Option(help="only imported images"),
    "results.waived": Option(help="only failed images that were waived"),
    "results.job": Option(metavar="ID", help="only of this job"),
    "results.cause": Option(metavar="CODE", help="failed for this cause"),
    "results.host": Option(metavar="H", help="fetched from this host"),
    "form": Option("--format", help="table on a terminal, else csv"),
    "output": Option("--output", "-o", metavar="FILE",
                     help="write here, - is standard output; its ending is the format"),
    "as_manifest": Option(help="the rows as they were sent, to edit and submit again"),
    "redact": Option(help="leave passwords and signatures out of URLs"),
    "excel": Option(help="CSV as Excel opens it: semicolons, and UTF-8 with its mark"),
    "results.most": Option("--most", "-n", min=0, metavar="N", help="rows to show; 0 = all"),
    "all_": Option("--all", envvar="LDIMPORT_ALL",
                   help="every archive of the state file, not only the one in force"),
    "retry.all_": Option("--all", envvar="LDIMPORT_RETRY_ALL",
                         help="all failed images, not only those that may work without a change"),
    "all_archives": Option("--all-archives", help="every archive at the target, not only the one "
                           "in force"),
    "watch.all_": Option("--all", help="every archive at the target, not only the one in force"),
    "what": Argument(metavar="ID|CODE|ROW", help="an image's external id, a code, or with "
                     "--manifest the number of a row"),
    "manifest": Option(metavar="FILE", help="show the entry as it would be sent from this one; an "
                       "id wins over the number of a row"),
    # hand-over
    "sample": Option(min=1, metavar="N", help="so many at random, of each archive"),
    "seed": Option(min=0, metavar="N", help="choose the same sample as the one with this seed"),
    "bytes_": Option("--bytes", help="fetch the pictures too, and compare"),
    "rate": Option(min=0, metavar="N", help="requests a second at most; 0: no limit; default: "
                   "as requestsPerSecond says, none at the local engine"),
    "restart": Option(help="begin anew instead of going on"),
    "mark_missing": Option(help="ask again for those that were missing last; what still is counts "
                           "as not sent, and the next submit sends it"),
    "look_up": Option(help="ask the target's media library for each image"),
    "skew": Option(min=0, metavar="SECONDS", help="clocks may differ by so much; default: as the "
                   "server's Date tells"),
    "server": Option("--format", envvar="LDIMPORT_EXPORT_FORMAT",
                     help="for which web server; default: csv"),
    "map.form": Option("--format", help="default: by the file's ending, else csv"),
    "undo.form": Option("--format", help="default: by the file's ending, else csv"),
    "report.output": Option("--output", "-o", metavar="FILE",
                            help="default: report.html here; - is standard output, and a pipe is "
                            "written to"),
    "report.form": Option("--format", help="default: by the file's ending, else html"),
    "thumbnails": Option(min=0, metavar="N", help="pictures in the contact sheet; default: 120 of "
                         "the local engine, none of a server, from which they are fetched"),
    # the state file
    "repair": Option(help="count the sums again and store them"),
    "backup.file": Argument(metavar="FILE", help="the copy"),
    "backup.force": Option(envvar="LDIMPORT_BACKUP_FORCE", help="replace a file that is there"),
    "export.file": Argument(metavar="FILE", help="JSON Lines; default: standard output"),
    "export.force": Option(envvar="LDIMPORT_EXPORT_FORCE", help="replace a file that is there"),
    "import.file": Argument(metavar="FILE", help="what `state export` wrote; -: standard input"),
    "other": Argument(metavar="OTHER", help="the state file whose content is added"),
    # the rest
    "folder": Argument(metavar="FOLDER|MANIFEST", help="default: this folder; of a manifest, a "
                       "mapping is proposed"),
    "media_type": Option(metavar="HANDLE", help="columns for images of this type"),
    "force": Option(help="replace files that are there already"),
    "schema.media_type": Argument(metavar="MEDIA_TYPE",
                                  help="default: the project's default media type"),
    "files": Argument(metavar="FILE...", help="default: the one that is in force here"),
    "revoke": Option(help="no longer"),
    "list_": Option("--list", help="show the files agreed to"),
    "words": Argument(metavar="COMMAND", help="words of a command, as `state info`"),
    "shell": Argument(help="which shell"),
}
# fmt: on
"""By the name of the parameter; where that means another thing in another command, by command and
name, and the option's variable has both too (``LDIMPORT_RESULTS_JOB``)."""


@dataclass(frozen=True, slots=True)
class GlobalOptions:
    """Options that stand on every command, as given or from their variables."""

    profile: str | None = None
    config: Path | None = None
    state: Path | None = None
    target: str | None = None
    api_version: str | None = None
    engine: Path | None = None
    project_config: Path | None = None
    system_name: str | None = None
    insecure: bool = False
    json: bool = False
    quiet: int = 0
    verbose: int = 0
    log_file: Path | None = None
    no_color: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestOptions:
    """How a manifest is read and checked."""

    base_url: str | None = None
    lenient: bool = False
    strict: bool = False
    maps: list[str] | None = None
    sets: list[str] | None = None
    map_values: list[str] | None = None
    strict_columns: bool = False
    root: str | None = None
    encoding: str | None = None
    delimiter: str | None = None

    def read(self, mapping: Mapping[str, Any], file: str) -> ReadOptions:
        """With ``mapping``, which stands in ``file``. Raises UsageError and ConfigError."""
        from ldimport.migration.open import read_options

        return read_options(
            mapping,
            file=file,
            maps=self.maps or (),
            sets=self.sets or (),
            map_values=self.map_values or (),
            strict_columns=self.strict_columns,
            root=self.root,
            encoding=self.encoding,
            delimiter=self.delimiter,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions(ManifestOptions):
    """A manifest, and how it is read and checked."""

    paths: list[str]


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How the local engine treats images."""

    allow_hosts: list[str] | None = None
    integrity: Integrity | None = None
    user_agent: str | None = None

    def refuse_on_http(self, settings: Settings, given: Mapping[str, object]) -> None:
        """On an HTTP target the server decides. ``given``: settings of the command line."""
        wanted = {
            "--allow-host": "allow_hosts" in given,
            "--integrity": self.integrity,
            "--user-agent": "user_agent" in given,
        }
        for name in wanted if not settings.embedded else ():
            if wanted[name]:
                text = f"{name} is for the local engine; at {settings.target} the server decides"
                raise UsageError(text, hint=f"leave {name} out")


@dataclass(frozen=True, slots=True)
class EndOptions:
    """When a run that sends images stops by itself, and what it does with their results."""

    no_wait: bool = False
    deadline: str | None = None
    heartbeat: str | None = None
    max_failures: str | None = None
    update: bool = False

    def read(self, settings: Settings) -> dict[str, Any]:
        """As the use cases take them. Raises UsageError."""
        from ldimport.migration.limits import FailureLimit

        most = settings.max_failures
        return {
            "wait": not self.no_wait,
            "update": self.update,
            "deadline": read_seconds("--deadline", self.deadline),
            "max_failures": None if most is None else FailureLimit.of(most),
        }


@dataclass(frozen=True, slots=True)
class QuotaOptions:
    """What is known of the target's daily limit, and what a run makes of it. Limit and reserve
    are settings: their values come from there."""

    daily_limit: str | None = None
    reserve: str | None = None
    wait_for_quota: bool = False

    def read(self, settings: Settings) -> QuotaRules:
        """As the use cases take them."""
        return quota_rules(settings, wait=self.wait_for_quota)


def quota_rules(settings: Settings, *, wait: bool = False) -> QuotaRules:
    """What the settings say of the target's quota."""
    from ldimport.migration.quota import QuotaRules

    return QuotaRules(settings.daily_limit or None, settings.reserve, wait)


OF_THE_PLACE = {
    *("profile", "config", "state", "target", "api_version", "engine", "project_config"),
    *("system_name", "insecure"),
}
"""Options that say which state file, target and archive are meant; every command takes them."""
OF_THE_MANIFEST = {each.name for each in fields(ReadingOptions) if each.name != "paths"}
"""Options that ``validate``, ``plan`` and ``submit`` of one manifest have in common."""
OF_THE_RUN = {
    *("valid_only", "allow_hosts", "integrity", "user_agent", "batch_size", "webhook", "context"),
    *("sample", "seed", "bytes_", "rate"),
    *("yes", "job", "cause", "all_", "all_archives", "older_than", "tries", "canary"),
    *("max_failures", "daily_limit", "reserve", "wait_for_quota", "update"),
    *("host", "port", "workers", "dialect", "public_url"),
}
"""Options that a run needs again when it goes on."""


_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


def read_seconds(option: str, text: str | None) -> float | None:
    """A span like ``90``, ``90s``, ``30m``, ``2h``, ``1d`` in seconds. Raises UsageError."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|d|)", text.strip())
    if found is None:
        hint = f"like {option} 90s, {option} 30m, {option} 2h"
        raise UsageError(f"{option} {text} is not a time", hint=hint)
    return float(found[1]) * _SECONDS[found[2]]
