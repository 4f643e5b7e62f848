"""`hch doctor`: what is installed, set and reachable, and what does not work."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hch import __version__
from hch.commands._health import reach
from tests.commands.terminal import Done, Screen, hch, install, rules
from tests.loopback import Loopback, Reply, chat

Typed = Callable[..., Done]

KEY = "sk-canary-0123456789"


def lines(done: Done, section: str) -> list[str]:
    """The lines of one section, white space folded."""
    found, here = [], False
    for line in done.out.splitlines():
        here = line == section if not line.startswith(" ") else here
        if here and line.startswith(" "):
            found.append(" ".join(line.split()))
    return found


def configured(home: Path, text: str) -> Path:
    (home / "hch.toml").write_text(text, "utf-8")
    return home / "hch.toml"


def good(body: Any) -> Reply:
    return Reply(chat("ok"))


# what is well


def test_without_anything_all_is_well(typed: Typed, home: Path) -> None:
    done = typed("doctor")
    assert (done.code, done.err) == (0, "")
    assert "✗" not in done.out
    installed = lines(done, "installed")
    assert installed[0].startswith(f"✓ hch {__version__}, in ")
    assert any(line.startswith("✓ Python 3.") for line in installed)
    assert any(re.fullmatch(r"✓ pydantic [\d.]+", line) for line in installed)
    assert any(re.fullmatch(r"✓ openai [\d.]+, for models openai", line) for line in installed)
    extras = [line.split()[2] for line in installed if " extra " in line]
    assert extras == ["gguf"]
    assert lines(done, "keys") == [
        "– none export ANTHROPIC_API_KEY=… for anthropic models, OPENAI_API_KEY=… for openai models"
    ]
    assert lines(done, "configuration") == [f"– {home}/.config/hch/hch.toml not there"]
    [answers] = lines(done, "models")
    assert answers.startswith("✓ who answers the built-in script, since no model is named and no")
    assert lines(done, "endpoints") == []
    first, runs = lines(done, "store")
    assert first.startswith(f"– {home}/.local/share/hch/hch.db not there yet: the first run makes")
    assert runs == "– runs none"
    assert not (home / ".local").exists()


def test_json_has_every_finding(typed: Typed) -> None:
    said = json.loads(typed("doctor", "--json").out)
    assert said["fine"] is True
    assert {f["section"] for f in said["findings"]} == {
        "installed", "keys", "configuration", "models", "store", "terminal",
    }  # fmt: skip
    assert {f["state"] for f in said["findings"]} <= {"fine", "none"}
    [store] = [f for f in said["findings"] if f["name"].endswith("hch.db")]
    assert store["figures"]["bytes"] == 0
    assert store["figures"]["free"] > 0


def test_in_ascii_the_marks_are_plain(home: Path) -> None:
    done = hch("doctor", PYTHONIOENCODING="ascii")
    assert done.code == 0
    assert "\n  + hch " in done.out
    assert "\n  - none " in done.out


def test_a_model_that_is_there_is_reached_and_nothing_is_sent(typed: Typed, home: Path) -> None:
    with Loopback(good) as server:
        url = server.url
        path = configured(home, f'[defaults]\nmodel = "openai:x,base_url={url}"\n')
        done = typed("doctor")
        assert server.requests == []
    assert done.code == 0
    assert lines(done, "configuration")[1:] == [f"✓ {path} is fine"]
    [answers] = lines(done, "models")
    assert answers == f"✓ who answers openai:x,base_url={url}, by {path}, line 2"
    [reached] = lines(done, "endpoints")
    assert re.fullmatch(rf"✓ {url} reachable, \d+ ms: openai:x,base_url={url}", reached)
    assert lines(done, "calls") == []


def test_who_answers_and_why(home: Path) -> None:
    def who(**env: str) -> str:
        return lines(hch("doctor", **env), "models")[0]

    assert who(OPENAI_API_KEY=KEY).endswith("openai:gpt-5.4-mini, since OPENAI_API_KEY is set")
    rules(home / "r.toml", {"match": ".", "reply": "x"})
    assert who(HCH_MODEL="scripted:r.toml").endswith("scripted:r.toml, by HCH_MODEL")
    assert who(HCH_STRATEGY="script").endswith("the built-in script, by HCH_STRATEGY")
    assert who(HCH_STRATEGY="direct@human").endswith("human, by HCH_STRATEGY")
    assert who(HCH_STRATEGY="direct@human", OPENAI_API_KEY=KEY).endswith("by HCH_STRATEGY")
    assert "✗ who answers strategy 'direct' thinks, and there is no model" in who(
        HCH_STRATEGY="direct"
    )


def test_the_stores_health_in_figures(typed: Typed, home: Path) -> None:
    configured(home, "")
    typed("ask", "What is 2 + 3?")
    typed("ask", "What is 2 + 4?")
    done = typed("doctor")
    assert done.code == 0
    place, runs = lines(done, "store")
    assert re.fullmatch(rf"✓ {home}/traces/hch.db \d+ kB, [\d.]+ \w+ free", place)
    assert runs == "✓ runs 2 runs, 0 unfinished, all of it whole"


def test_a_store_in_memory_has_no_health(home: Path) -> None:
    [line] = lines(hch("doctor", HCH_STORE="memory"), "store")
    assert line == "– memory runs are gone when their command ends"


def test_a_person_can_be_configured(home: Path) -> None:
    path = configured(home, '[models]\nme = "human"\n[players]\nchecker = "consult@me"\n')
    done = hch("doctor", "--call", HCH_MODEL="human")
    assert done.code == 0
    assert lines(done, "models") == [
        "✓ who answers human, by HCH_MODEL",
        f"✓ me human, {path}, line 2",
    ]
    assert lines(done, "calls") == []


# what is not


@pytest.mark.parametrize("how", ["refused", "unknown host"])
def test_an_endpoint_that_is_not_there_is_wrong(typed: Typed, home: Path, how: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    host = {"refused": "127.0.0.1", "unknown host": "nonesuch.invalid"}[how]
    configured(home, f'[models]\na = "openai:x,base_url=http://{host}:{port}/v1"\n')
    done = typed("doctor")
    assert done.code == 6
    [line] = lines(done, "endpoints")
    assert line.startswith(f"✗ http://{host}:{port}/v1 {how}, ")


async def test_an_endpoint_that_says_nothing_is_not_waited_for() -> None:
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as server:
        port = server.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:  # until the queue is full
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        fault, _ = await reach(f"http://127.0.0.1:{port}", 0.05)
        for one in waiting:
            one.close()
    assert fault == "no answer within 0.05 s"


async def test_an_address_that_cannot_be_reached_is_told() -> None:
    fault, _ = await reach("http://255.255.255.255:9/v1")
    assert fault
    assert "\n" not in fault


def test_aliases_share_an_endpoint_and_one_that_lacks_its_key_is_wrong(
    typed: Typed, home: Path
) -> None:
    with Loopback(good) as server:
        at = f"base_url={server.url}"
        text = f'[models]\na = "openai:x,{at}"\nb = "openai:y,{at}"\nc = "openai:z"\n'
        configured(home, text)
        done = typed("doctor")
    assert done.code == 6
    _, a, b, c = lines(done, "models")
    assert a.startswith("✓ a openai:x,")
    assert b.endswith(f"{home / 'hch.toml'}, line 3")
    assert c == "✗ c OPENAI_API_KEY is not set: set it to a key for https://api.openai.com/v1"
    [reached] = lines(done, "endpoints")
    assert reached.endswith(f": openai:x,{at}, openai:y,{at}")


def test_what_is_wrong_with_the_configuration_is_listed(home: Path) -> None:
    path = configured(home, "[defaults]\nmodle = 'x'\ndepth = 'y'\n")
    done = hch("doctor", HCH_DPETH="3")
    assert done.code == 6
    _, file, *problems = lines(done, "configuration")
    assert file == f"✗ {path} 2 wrong, see below"
    assert problems[0].startswith(f"✗ {path}, line 3: defaults.depth: ")
    assert problems[1].startswith(f"✗ {path}, line 2: unknown key 'defaults.modle'")
    assert problems[2].startswith("✗ HCH_DPETH: no setting has this variable")
    assert lines(done, "store")


def test_proxies_are_told_and_not_used(home: Path) -> None:
    done = hch("doctor", HTTPS_PROXY="http://user:secret@127.0.0.1:9", http_proxy="")
    assert done.code == 0
    said = "set; the connections above were made without a proxy"
    assert lines(done, "endpoints") == [f"– HTTPS_PROXY {said}"]
    assert "secret" not in done.out


@pytest.mark.parametrize("words", [("doctor",), ("doctor", "--json")])
@pytest.mark.leaves_open
def test_only_a_bad_store_is_5(typed: Typed, home: Path, words: tuple[str, ...]) -> None:
    configured(home, "")
    traces = home / "traces"
    traces.mkdir()
    (traces / "hch.db").write_text("A letter.\n" * 100)
    done = typed(*words)
    assert done.code == 5
    assert "this is no store of hch" in done.out
    configured(home, "[defaults]\nmodle = 1\n")
    assert typed(*words).code == 6
    (traces / "hch.db").unlink()


@pytest.mark.leaves_open
def test_a_newer_store_is_told(typed: Typed, home: Path) -> None:
    typed("ask", "What is 2 + 3?", "--store", "runs.db")
    with closing(sqlite3.connect("runs.db")) as db:
        db.execute("PRAGMA user_version = 99")
    done = hch("doctor", HCH_STORE="runs.db")
    assert done.code == 5
    assert "✗ check the store runs.db was written by a newer hch" in lines(done, "store")[1]
    (home / "runs.db").unlink()


@pytest.mark.leaves_open
def test_an_index_that_cannot_be_read_is_told(typed: Typed, home: Path) -> None:
    typed("ask", "What is 2 + 3?", "--store", "runs.db")
    with closing(sqlite3.connect("runs.db", isolation_level=None)) as db:
        db.execute("UPDATE run_index SET players = '7'")
    done = hch("doctor", HCH_STORE="runs.db")
    assert done.code == 5
    assert lines(done, "store")[1].startswith("✗ runs the store runs.db: ")
    (home / "runs.db").unlink()


def test_a_store_that_can_be_no_file_is_told(home: Path) -> None:
    done = hch("doctor", HCH_STORE=str(home))
    assert done.code == 6
    assert lines(done, "store") == [
        f"✗ {home} the store {home} is a folder: name a file, as in --store sqlite:runs.db"
    ]


def test_what_is_not_installed_is_told_with_how_to_get_it(home: Path) -> None:
    env = install(home, "models.mine", "mine", "")
    install(home, "models.other", "other", 'EXTRA = "there"\n')
    hidden = home / "hch-0.dist-info"
    hidden.mkdir()
    (hidden / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: hch\nVersion: 0\n"
        "Provides-Extra: mine\nProvides-Extra: there\nProvides-Extra: plot\n"
        "Requires-Dist: not-there-at-all>=1\n"
        "Requires-Dist: pydantic>=2; extra == 'there'\n"
        "Requires-Dist: not-there-either[x]>=1 ; sys_platform == 'linux' and extra == 'mine'\n"
    )
    done = hch("doctor", **env)
    assert done.code == 6
    core, mine, there = lines(done, "installed")[2:]
    assert core.startswith("✗ not-there-at-all not installed: ")
    assert mine == "– extra mine for models mine: needs not-there-either: pip install 'hch[mine]'"
    assert re.fullmatch(r"✓ extra there for models other: pydantic [\d.]+", there)


# calls


def test_call_asks_each_model_for_one_token(typed: Typed, home: Path) -> None:
    def short(body: Any) -> Reply:
        return Reply(chat("", choice={"finish_reason": "length"}))

    with Loopback(short) as server:
        spec = f"openai:x,base_url={server.url}"
        configured(home, f'[defaults]\nmodel = "a"\n[models]\na = "{spec}"\nb = "{spec}"\n')
        done = typed("doctor", "--call")
        [asked] = server.requests
    assert done.code == 0
    assert asked.body["max_tokens"] == 1
    assert asked.body["messages"] == [{"role": "user", "content": "Say: ok"}]
    [call] = lines(done, "calls")
    assert re.fullmatch(rf"✓ {spec} ok, \d+ ms, 7 tokens in, 3 out", call)


def test_a_call_that_fails_is_told_without_the_key(home: Path) -> None:
    def refuse(body: Any) -> Reply:
        return Reply({"error": {"message": f"bad key {KEY}\x1b[31m"}}, status=401)

    with Loopback(refuse) as server:
        spec = f"openai:x,base_url={server.url},api_key_env=MINE_API_KEY"
        for words in (("doctor", "--call"), ("doctor", "--call", "--json")):
            done = hch(*words, HCH_MODEL=spec, MINE_API_KEY=KEY)
            assert done.code == 6
            assert "canary" not in done.out + done.err
            assert "\x1b" not in done.out
        assert KEY in server.requests[0].headers["authorization"]
    finding = next(f for f in json.loads(done.out)["findings"] if f["section"] == "calls")
    assert finding["state"] == "wrong"
    assert "MINE_API_KEY" in done.out


def test_a_model_of_any_kind_can_be_called(typed: Typed, home: Path) -> None:
    spec = rules(home / "r.toml", {"match": "Say: ok", "reply": "ok"})
    configured(home, f'[models]\na = "{spec}"\nnobody = "human"\n')
    done = typed("doctor", "--call")
    assert done.code == 0
    [call] = lines(done, "calls")
    assert call.startswith(f"✓ {spec} ok, ")


# the terminal


def test_the_terminal_is_described(home: Path) -> None:
    with Screen(
        "doctor", columns=77, TERM="xterm", NO_COLOR="", PYTHONIOENCODING="utf-8"
    ) as screen:
        said = " ".join(screen.rest().split())
        assert screen.code == 0
    assert "✓ stdout a terminal, 77 columns, utf-8" in said
    assert "✓ TERM xterm ✓ NO_COLOR set" in said
    env = {name: value for name, value in os.environ.items() if name != "TERM"}
    assert "NO_COLOR" not in env
    piped = lines(hch("doctor"), "terminal")
    assert piped[1].startswith("– stderr no terminal, ")
    assert "– NO_COLOR not set" in piped


def test_nothing_unsafe_is_shown(home: Path) -> None:
    evil = "\x1b]0;x\x07\u202e\x9b31m"
    done = hch("doctor", HCH_MODEL=f"openai:{evil}", TERM=evil, HCH_STORE=f"{evil}.db")
    assert done.out.replace("\n", "").isprintable()
