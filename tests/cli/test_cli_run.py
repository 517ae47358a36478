"""The command line as a process and as a function: streams, help, errors, exit codes, start-up."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest

from ldimport import __version__
from ldimport.cli import main, run
from ldimport.cli.app import build, global_params, hoist, root, variable
from ldimport.cli.command import COMMANDS, LIST, Command, Group
from ldimport.cli.options import TABLE
from ldimport.cli.run import redact, write_crash
from ldimport.errors import PRECEDENCE, ExitCode, Terminated, worst

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, nothing of ours in the environment."""
    for name in list(os.environ):
        if name.startswith(("LDIMPORT_", "LI_", "XDG_")) or name in ("GITHUB_ACTIONS", "CI"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def process(
    home: Path, *args: str, stdout: int | None = subprocess.PIPE, **env: str
) -> subprocess.CompletedProcess[str]:
    """``python -m ldimport`` in ``home``."""
    return subprocess.run(
        [sys.executable, "-m", "ldimport", *args],
        cwd=home,
        env={**os.environ, "HOME": str(home), **env},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=False,
        timeout=60,
    )


def commands() -> Iterator[tuple[list[str], Command]]:
    """Every command with the words that call it."""
    from importlib import import_module

    for name in COMMANDS:
        spec: Command | Group = import_module(f"ldimport.cli.{name}").COMMAND
        if isinstance(spec, Group):
            for each in spec.commands:
                yield [spec.name, each.name], each
        else:
            yield [spec.name], spec


ALL = list(commands())
NAMES = [" ".join(words) for words, _ in ALL]


# -- start-up ------------------------------------------------------------------------------


def modules_after(code: str) -> set[str]:
    """Names of the modules loaded after ``code`` ran in a fresh interpreter."""
    script = f"{code}\nimport sys; print('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stderr.split())


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_imports_nothing_but_ourselves(option: str) -> None:
    loaded = modules_after(f"from ldimport.cli import main; main([{option!r}])")
    assert not loaded & {"typer", "rich", "pydantic", "httpx", "json", "sqlite3", "ldimport.model"}
    assert {name for name in loaded if name.startswith("ldimport")} == {"ldimport", "ldimport.cli"}


def test_status_imports_only_what_it_needs(home: Path) -> None:
    loaded = modules_after("from ldimport.cli import main; main(['status'])")
    heavy = {"rich.console", "httpx", "yaml", "pycurl", "PIL", "jsonschema", "starlette"}
    assert not loaded & heavy
    others = {f"ldimport.cli.{name}" for name in COMMANDS} - {"ldimport.cli.status"}
    assert not loaded & others


@pytest.mark.parametrize("words", [["--version"], ["-V"], ["status", "--version"]])
def test_version_anywhere(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert capsys.readouterr().out == f"ldimport {__version__}\n"


# -- global options before and after the command -------------------------------------------


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        (["--json", "status"], ["status", "--json"]),
        (["status", "--json"], ["status", "--json"]),
        (["-p", "x", "status", "id"], ["status", "-p", "x", "id"]),
        (["--profile=x", "status"], ["status", "--profile=x"]),
        (["-px", "status"], ["status", "-px"]),
        (["-qv", "status"], ["status", "-qv"]),
        (["-qqv", "--state", "a b", "status"], ["status", "-qqv", "--state", "a b"]),
        (["--json", "config", "-q", "show"], ["config", "show", "--json", "-q"]),
        (["config", "--json", "show"], ["config", "show", "--json"]),
        (["-h"], ["-h"]),
        (["status", "-h"], ["status", "-h"]),
        (["--nonsense", "status"], ["--nonsense", "status"]),
        (["--state"], ["--state"]),
        (["--json", "explain", "--", "--json"], ["explain", "--json", "--", "--json"]),
        (["submit", "-"], ["submit", "-"]),
        ([], []),
    ],
)
def test_global_options_stand_before_or_after_the_command(
    given: list[str], moved: list[str]
) -> None:
    assert hoist(given) == moved


@pytest.mark.parametrize("words", [["--json", "status"], ["status", "--json"]])
def test_both_places_mean_the_same(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main(words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == 1 and document["jobs"] == []


# -- help ----------------------------------------------------------------------------------


def test_short_help_and_exit_2_without_a_command(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == ExitCode.USAGE
    assert "Usage: ldimport" in capsys.readouterr().out


def test_commands_are_listed_in_the_order_of_a_migration(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    places = [text.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)
    assert [text.index(f"{section}:") for section in LIST] == sorted(
        text.index(f"{section}:") for section in LIST
    )
    assert "Exit codes:" in text


@pytest.mark.parametrize(("words", "spec"), ALL, ids=NAMES)
def test_each_help_is_a_manual(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], spec: Command
) -> None:
    for option in ("--help", "-h"):
        assert main([*words, option]) == 0
        text = capsys.readouterr().out
        assert f"Usage: ldimport {' '.join(words)}" in text
        assert "Global options:" in text and "LDIMPORT_JSON" in text
        assert text.index("Example") < text.index("Exit codes:")
        for code in spec.codes:
            assert re.search(rf"^  {int(code)} +\S", text, re.MULTILINE)


@pytest.mark.parametrize(("words", "spec"), ALL, ids=NAMES)
def test_every_option_has_a_variable_of_ours(words: list[str], spec: Command) -> None:
    for param in build(spec).params:
        if param.param_type_name == "option":
            assert param.envvar.startswith("LDIMPORT_"), param.name
            assert param.show_envvar


def test_the_table_of_options_is_whole_and_holds_nothing_else() -> None:
    used: set[str] = set()
    for _, spec in ALL:
        for param in build(spec).params:
            own = f"{spec.name}.{param.name}"
            used.add(own if own in TABLE else param.name)
    assert used == set(TABLE)


def test_yes_and_no_options_have_one_form(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--no-json"]) == ExitCode.USAGE
    assert "--no-json" in capsys.readouterr().err


def test_options_of_one_name_and_different_meaning_have_different_variables() -> None:
    meanings: dict[str, set[str]] = {}
    for _, spec in ALL:
        for param in build(spec).params:
            if param.param_type_name == "option":
                meanings.setdefault(param.envvar, set()).add(param.name)
    assert {name: found for name, found in meanings.items() if len(found) > 1} == {}


@pytest.mark.parametrize(("words", "spec"), ALL, ids=NAMES)
def test_examples_name_the_command_and_its_options(words: list[str], spec: Command) -> None:
    known = {name for param in build(spec).params for name in param.opts}
    for example in spec.examples:
        assert f"ldimport {' '.join(words)}" in example
        assert set(re.findall(r"(?<= )--[a-z-]+", example)) <= known


def test_the_summary_of_each_command_is_not_empty_and_short() -> None:
    for section in LIST.values():
        assert all(10 < len(summary) < 70 for summary in section.values())


def test_the_variable_of_an_option_is_its_long_name() -> None:
    assert variable(["--batch-size"]) == "LDIMPORT_BATCH_SIZE"
    assert variable(["--profile", "-p"]) == "LDIMPORT_PROFILE"


def texts(file: Path) -> Iterator[str]:
    """Every text of a module, or the whole of a page."""
    if file.suffix != ".py":
        yield file.read_text("utf-8")
        return
    tree = ast.parse(file.read_text("utf-8"))
    names = {id(node.value) for node in ast.walk(tree)
             if isinstance(node, ast.keyword) and node.arg == "name"}  # fmt: skip
    for node in ast.walk(tree):  # names of threads and files are not meant to be typed
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in names:
            yield node.value


@pytest.mark.parametrize("where", ["ldimport", "README.md"])
def test_a_hint_names_only_commands_that_exist(where: str) -> None:
    """What stands at the beginning of a text or line, or is quoted, is meant to be typed."""
    place = ROOT / where
    known = {words[0]: {second for first, *second in (w for w, _ in ALL) if first == words[0]
                        for second in second} for words, _ in ALL}  # fmt: skip
    typed = re.compile(r"(?:^|[`“\"→$] ?|\n)ldimport ([a-z]+)(?: ([a-z]+)(?![a-z.]))?")
    found = 0
    for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
        for text in texts(file):
            for name, second in typed.findall(text):
                found += 1
                assert name in known, f"{file}: ldimport {name}"
                if known[name] and second:
                    assert second in known[name], f"{file}: ldimport {name} {second}"
    assert found


# -- errors --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["statsu"], "did you mean status?"),
        (["status", "--jsno"], "--json"),
        (["config", "shwo"], "did you mean show?"),
        (["status", "25bzj8"], "no job “25bzj8” in the state file"),
        (["status", "--exit-status"], "--exit-status needs the id of a job"),
        (["results", "--failed", "--success"], "exclude each other"),
        (["results", "-o", "x.txt"], "the ending says no format"),
        (["results", "--job", "nosuch"], "no job “nosuch”"),
        (["status", "-n", "many"], "--most many must be a whole number"),
        (["status", "-n", "-1"], "must be a whole number, 0 or more"),
        (["watch", "--deadline", "soon"], "is not a time"),
        (["--config", "nowhere.yaml", "status"], "nowhere.yaml"),
        (["completion", "tcsh"], "must be one of bash, zsh,"),
    ],
)
def test_a_wrong_command_line_is_one_message_and_exit_2(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(words) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("✗ ") and message in err
    assert "Traceback" not in err and "Error:" not in err


@pytest.mark.parametrize("words", [["statsu"], ["status", "25bzj8"], ["status", "--jsno"]])
def test_with_json_the_error_is_a_document_too(
    home: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    assert main([*words, "--json"]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert (document["type"], document["format"], document["exitCode"]) == ("error", 1, 2)
    assert err.startswith("✗ ")
    assert main([*words, "--json", "-q"]) == ExitCode.USAGE
    out, err = capsys.readouterr()
    assert json.loads(out)["exitCode"] == 2 and err == ""


def test_a_bug_is_exit_70_with_a_crash_file_that_holds_no_secret(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(arguments: object) -> int:
        local_secret = "ldi_0123456789abcdef"
        raise RuntimeError(f"went wrong with {local_secret} and hunter2-token")

    monkeypatch.setenv("LDIMPORT_TOKEN", "hunter2-token")
    monkeypatch.setattr(run, "_call", broken)
    assert main(["status", "--system-name", "my-archive"]) == ExitCode.BUG
    err = capsys.readouterr().err
    found = re.search(r"(\S*crash-\S+\.txt)", err)
    assert found
    path = Path(found[1])
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "RuntimeError" in text and f"ldimport {__version__}" in text
    assert "command: status --system-name …" in text
    for secret in ("hunter2-token", "ldi_0123456789abcdef", "my-archive"):
        assert secret not in text and secret not in err


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")
def test_folders_that_a_command_makes_are_private_whatever_the_umask(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State file, lock and crash file with all folders above them."""
    monkeypatch.setenv("LDIMPORT_STATE", "a/b/state.sqlite")
    monkeypatch.setenv("LDIMPORT_ENGINE", "c/d")
    before = os.umask(0)
    try:
        write_crash(ValueError("x"), ["status"], os.environ)
        (home / "m.csv").write_text("id,url\n")
        assert main(["retry"]) == 0
    finally:
        os.umask(before)
    made = [home / name for name in (".local", "a", "c")]
    made += [path for folder in made for path in folder.rglob("*")]
    assert {"b", "d", "ldimport"} <= {path.name for path in made}
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in made} == {
        path.name: "0o0" for path in made
    }


def test_a_crash_file_goes_elsewhere_where_the_home_cannot_be_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".local").write_text("a file where a folder should be")
    other = tmp_path / "tmp"
    other.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(other))
    path = write_crash(ValueError("x"), ["status"], {})
    assert path.parent == other and "ValueError" in path.read_text()


@pytest.mark.parametrize(
    "text",
    ["Authorization: Bearer abc.def", "token=s3cret!", "https://me:s3cret@host/x",
     "https://host/x?X-Amz-Signature=s3cret", "eyJhbGciOi.eyJzdWIi.s3cret"],
)  # fmt: skip
def test_what_looks_like_a_secret_is_cut_out(text: str) -> None:
    cleaned = redact(text, {})
    assert "s3cret" not in cleaned and "abc.def" not in cleaned


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (Terminated(), 143), (BrokenPipeError(), 0)]
)
def test_signals_end_with_their_codes(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
) -> None:
    def ended(arguments: object) -> int:
        raise error

    monkeypatch.setattr(run, "_call", ended)
    monkeypatch.setattr(run, "_to_nowhere", lambda: None)
    assert main(["status", "--json"]) == code
    out = capsys.readouterr().out
    assert (json.loads(out)["exitCode"] == code) if code else (out == "")


STRUCK = """
import os, sys

class Strike:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            for _ in range({times}):
                os.kill(os.getpid(), {number})

sys.meta_path.insert(0, Strike())
sys.argv = ["ldimport", *{words!r}]
"""


def struck(home: Path, module: str, number: int, times: int, words: list[str]) -> tuple[int, str]:
    """A command to which signals come when a module is about to be imported."""
    script = STRUCK.format(module=module, number=int(number), times=times, words=words)
    script += "from ldimport.cli import main\nsys.exit(main())\n"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=home, timeout=60,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stderr


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    "module", ["ldimport.cli.run", "typer", "ldimport.cli.status", "ldimport.migration"]
)
def test_signals_while_modules_are_imported_end_in_one_line(
    home: Path, module: str, number: int, times: int
) -> None:
    code, told = struck(home, module, number, times, ["status"])
    assert code == 128 + number
    assert "Traceback" not in told and "Error" not in told
    early = {2: "interrupted\n", 15: "terminated\n"}[number]
    assert told == early or module == "ldimport.migration", "then in order, or at once"


def test_signals_that_a_shell_turned_off_stay_off(home: Path) -> None:
    script = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + STRUCK.format(
        module="ldimport.cli.run", number=2, times=2, words=["config", "show"]
    )
    script += "from ldimport.cli import main\nsys.exit(main())\n"
    done = subprocess.run([sys.executable, "-c", script], cwd=home, timeout=60, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_python_ends_is_no_traceback(home: Path, number: int) -> None:
    script = (
        "import atexit, os, sys; sys.argv = ['ldimport', 'status']\n"
        f"atexit.register(lambda: os.kill(os.getpid(), {int(number)}))\n"
        "from ldimport.cli import main\nsys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=home, timeout=60,
        check=False,
    )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (128 + number, False)


def test_when_several_exit_codes_apply_the_first_of_the_documented_order_counts() -> None:
    order = [70, 130, 143, 2, 4, 7, 10, 11, 5, 6, 8, 3, 1, 0]
    assert list(PRECEDENCE) == order and set(PRECEDENCE) == set(ExitCode)
    for first, second in combinations(map(ExitCode, order), 2):
        assert worst(first, second) is worst(second, first) is first
    assert worst() is ExitCode.OK


# -- streams -------------------------------------------------------------------------------


def test_a_reader_that_had_enough_is_no_error(home: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = process(home, "config", "show", "--json", stdout=write)
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_standard_output_is_exit_5(home: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = process(home, "config", "show", stdout=full.fileno())
    assert done.returncode == ExitCode.TEMPORARY
    assert "could not be written: No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(
    ("words", "form", "code"),
    [
        ("status", "2>/dev/full", 0),
        ("no-such", "2>/dev/full", 2),
        ("no-such", "2>&1 >/dev/full", 2),
        ("validate no-such.csv", "2>/dev/full", 2),
        ("validate archive.csv", "2>/dev/full", 0),
        ("validate archive.csv", "2> >(true)", 0),
        ("validate archive.csv", "2>err", 0),
        ("validate archive.csv", ">out 2>err", 5),
        ("--version", ">/dev/full", 5),
        ("--version", ">&-", 0),
        ("--version", ">out", 5),
        ("--help", ">/dev/full", 5),
        ("--help", ">out", 5),
    ],
)
def test_streams_that_take_nothing_end_with_the_documented_code(
    home: Path, words: str, form: str, code: int
) -> None:
    """A regular file takes nothing where the size of files is limited to none. What standard
    error does not take nobody reads, and the work goes on."""
    (home / "archive.csv").write_text("id,url,fileName\na,https://img.example/a.jpg,A\n")
    limit = "trap '' XFSZ; ulimit -f 0; " if form.endswith(("out", "err")) else ""
    line = f"{limit}{shlex.join([sys.executable, '-B'])} -m ldimport {words} {form}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=home, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "HOME": str(home)},
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("Traceback")) == (code, 0)
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("form", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_do_no_harm(home: Path, form: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m ldimport config show {form}"],
        env={**os.environ, "HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["iso-8859-1", "ascii", "cp1252", "utf-8"])
def test_any_encoding_of_the_terminal_will_do(home: Path, encoding: str) -> None:
    done = process(home, "status", "nö-suchjob", PYTHONIOENCODING=encoding)
    assert done.returncode == ExitCode.USAGE
    assert "Traceback" not in done.stderr and "such" in done.stderr


@pytest.mark.parametrize("words", [["status"], ["config", "show"], ["results"], ["status", "x"]])
@pytest.mark.parametrize(
    "env", [{}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "0"}, {"TERM": "dumb"}, {"CI": "true"}]
)
def test_no_escape_and_no_carriage_return_in_a_pipe(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    words: list[str], env: dict[str, str],
) -> None:  # fmt: skip
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    main(words)
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err and "\r" not in out + err


def test_a_variable_stands_for_its_option(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LDIMPORT_JSON", "1")
    monkeypatch.setenv("LDIMPORT_TARGET", "https://edit.example/api")
    assert main(["config", "show"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["target"]["value"].startswith("https://edit.example")
    assert "LDIMPORT_TARGET" in settings["target"]["source"]
    assert main(["config", "show", "--target", "embedded"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["target"] == {"value": "embedded", "source": "option --target"}


# -- commands ------------------------------------------------------------------------------


def test_the_root_knows_every_command() -> None:
    assert list(root().commands) == COMMANDS
    assert {param.name for param in global_params()} >= {"json", "quiet", "state", "target"}
