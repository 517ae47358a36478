"""``config trust``: project files that the user did not write."""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from ldimport.cli import main
from ldimport.cli.session import Session

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Call:
    """Run a command line below a home of its own, in the folder of an archive that was sent."""
    for name in list(os.environ):
        if name.startswith(("LDIMPORT_", "LI_", "XDG_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "sent").mkdir()
    monkeypatch.chdir(tmp_path / "sent")
    Path("archive.csv").write_text("id,url,fileName\na,https://pictures.example/a.jpg,A\n")

    def run(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = main(list(words))
        return code, *capfd.readouterr()

    return run


@pytest.fixture
def evil(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A server that notes the tokens it gets, and a project file that names it."""
    got: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            got.append(str(self.headers["Authorization"]))
            self.send_error(404)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    Path("ldimport.yaml").write_text(f"target: http://127.0.0.1:{server.server_port}\n")
    monkeypatch.setenv("LDIMPORT_TOKEN", "s3cr3t")
    yield got
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Somebody sits at the terminal and types this."""

    def types(text: str) -> None:
        monkeypatch.setattr(Session, "can_ask", True)
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    return types


COMMANDS = (
    ("validate", "archive.csv"),
    ("plan", "archive.csv"),
    ("submit", "archive.csv", "--yes", "--system-name", "a"),
    ("status",),
    ("watch",),
    ("retry",),
    ("results",),
    ("explain", "a"),
    ("config", "show"),
    ("config", "check"),
    ("config", "schema"),
    ("init", "new"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_no_command_sends_a_token_where_a_strangers_file_says(
    call: Call, evil: list[str], words: tuple[str, ...]
) -> None:
    Path("new").mkdir()
    code, out, err = call(*words)
    assert (code, out, evil) == (4, "", [])
    assert "ldimport.yaml sets target" in err and "target" in err
    assert f"ldimport config trust {Path('ldimport.yaml').resolve()}" in err


def test_with_json_the_refusal_is_a_document(call: Call, evil: list[str]) -> None:
    code, out, _ = call("validate", "archive.csv", "--json")
    assert (code, evil) == (4, [])
    assert json.loads(out)["code"] == "untrusted-file"


def test_after_agreeing_it_counts_until_it_is_edited(call: Call, evil: list[str]) -> None:
    assert call("config", "trust")[0] == 0
    call("validate", "archive.csv")
    assert set(evil) == {"Bearer s3cr3t"}
    evil.clear()
    with Path("ldimport.yaml").open("a") as file:
        file.write("# edited\n")
    assert call("validate", "archive.csv")[0] == 4
    assert evil == []


def test_agreements_are_listed_and_taken_back(call: Call, evil: list[str]) -> None:
    file = str(Path("ldimport.yaml").resolve())
    call("config", "trust", "ldimport.yaml")
    assert call("config", "trust", "--list")[:2] == (0, f"{file}\n")
    code, out, _ = call("config", "trust", "--list", "--json")
    assert (code, [*json.loads(out)["trusted"]]) == (0, [file])
    assert call("config", "trust", "--revoke")[0] == 0
    assert call("config", "trust", "--list")[:2] == (0, "")
    assert call("config", "trust", "--revoke")[0] == 2
    assert call("validate", "archive.csv")[0] == 4
    assert evil == []


def test_there_may_be_no_file_to_agree_to(call: Call) -> None:
    assert call("config", "trust")[0] == 2
    assert call("config", "trust", "absent.yaml")[0] == 2


@pytest.mark.parametrize("yes", [True, False])
def test_on_a_terminal_it_is_asked_and_remembered(
    call: Call, evil: list[str], answered: Callable[[str], None], yes: bool
) -> None:
    answered("y\n" if yes else "n\n")
    code, _, err = call("config", "show")
    assert code == (0 if yes else 4) and "Agree to this file?" in err
    answered("")
    assert ("Agree to this file?" in call("config", "show")[2]) is not yes


# -- a manifest that names a webhook itself ---------------------------------------------------

HOOK = "http://127.0.0.1:1/hook?sig=S3CRET"
SUBMIT = ("submit", "sent.json", "--system-name", "a", "--no-wait", "--yes")


def sent(path: str = "sent.json", webhook: str = HOOK, **more: object) -> None:
    image = {"id": "a", "url": "https://pictures.example/a.jpg", "fileName": "A"}
    Path(path).write_text(json.dumps({"webhook": webhook, "images": [image], **more}))


def jobs(call: Call) -> int:
    return len(json.loads(call("status", "--json")[1])["jobs"])


@pytest.mark.parametrize("name", ["sent.json", "sent.yaml", "folder/sent.json"])
def test_results_go_to_no_webhook_that_only_a_manifest_names(call: Call, name: str) -> None:
    Path("folder").mkdir()
    sent(name)
    code, out, err = call("submit", name.removesuffix("/sent.json"), *SUBMIT[2:])
    assert (code, out, jobs(call)) == (4, "", 0)
    assert f"{name} sets webhook" in err and f"ldimport config trust {name}" in err
    assert "S3CRET" not in err
    assert call("config", "trust", name)[0] == 0
    assert call("submit", name, *SUBMIT[2:])[0] == 0 and jobs(call) == 1


def test_an_agreed_webhook_may_not_change_but_the_rows_may(call: Call) -> None:
    sent()
    call("config", "trust", "sent.json")
    sent(context={"a": 1})
    assert call(*SUBMIT)[0] == 0
    sent(webhook=f"{HOOK}2")
    assert call(*SUBMIT)[0] == 4
    sent()
    assert call("config", "trust", "--revoke", "sent.json")[0] == 0
    assert call(*SUBMIT)[0] == 4


@pytest.mark.parametrize("own", [HOOK, "http://127.0.0.1:2/mine"])
def test_a_webhook_that_the_user_names_is_agreed_to(call: Call, own: str) -> None:
    sent()
    assert call(*SUBMIT, "--webhook", own)[0] == 0


def test_standard_input_names_no_webhook(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    sent()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path("sent.json").read_bytes())))
    code, _, err = call("submit", "-", *SUBMIT[2:])
    assert code == 4 and "standard input sets webhook" in err and "--webhook URL" in err


@pytest.mark.parametrize("yes", [True, False])
def test_a_manifests_webhook_is_asked_on_a_terminal(
    call: Call, answered: Callable[[str], None], yes: bool
) -> None:
    sent()
    answered("y\n" if yes else "n\n")
    code, _, err = call(*SUBMIT)
    assert code == (0 if yes else 4) and "Agree to this file?" in err
    answered("")
    assert ("Agree to this file?" in call(*SUBMIT)[2]) is not yes


def test_what_names_no_webhook_is_nothing_to_agree_to(call: Call) -> None:
    assert call("config", "trust", "archive.csv")[0] == 2


def test_a_folders_name_does_nothing_to_the_terminal(
    call: Call, answered: Callable[[str], None]
) -> None:
    folder = Path("a\x1b]0;x\x07\u202eb")
    folder.mkdir()
    answered("name\n")
    code, out, err = call("init", str(folder))
    assert code == 0 and "\x1b" not in out + err and "\u202e" not in out + err


@pytest.mark.parametrize("end", ["\n", "\r", "\x85", "\u2028"])
def test_init_writes_no_setting_that_a_project_config_slips_in(call: Call, end: str) -> None:
    evil = f"li-text{end}target: https://evil.example{end}"
    metadata = [
        {"handle": "title", "type": "li-text"},
        {"handle": "other", "type": evil},
        {"handle": f"x{end}webhook: https://evil.example{end}", "type": "li-text"},
    ]
    body = {"mediaTypes": [{"handle": "image", "type": "mediaImage", "metadata": metadata}]}
    Path("p.json").write_text(json.dumps(body))
    assert call("init", "--project-config", "p.json", "--system-name", "a")[0] == 0
    shown = json.loads(call("config", "show", "--json")[1])["settings"]
    assert shown["target"]["source"] == "default" and not shown["webhook"]["value"]


def test_init_writes_through_no_link_of_the_folder(call: Call) -> None:
    Path("sent").mkdir()
    Path("sent/manifest-template.csv").symlink_to("../elsewhere.csv")
    assert call("init", "sent", "--system-name", "a")[0] == 2
    assert not Path("elsewhere.csv").exists() and not Path("sent/ldimport.yaml").exists()


def test_what_init_wrote_is_the_users_own(call: Call) -> None:
    Path("start").mkdir()
    assert call("init", "start", "--system-name", "a")[0] == 0
    file = Path("start/ldimport.yaml")
    assert call("config", "trust", "--list")[1] == f"{file.resolve()}\n"
