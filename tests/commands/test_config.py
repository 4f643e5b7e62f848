"""`hch config`: what holds and why, a file to begin with, and all that is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hch import HCH, registry
from hch.commands._settings import check_in_force
from hch.config import Config, Defaults
from hch.errors import ConfigError
from tests.commands.seat import Seat
from tests.commands.terminal import HCH as WORDS
from tests.commands.terminal import Done, hch, install
from tests.payloads import PAYLOADS

Typed = Callable[..., Done]

ROOT = Path(__file__).parents[2]
SAMPLE = (ROOT / "hch.toml").read_text("utf-8")
KEY = "sk-canary-0123456789"
SETTING = re.compile(r"^#(?=\S)", re.MULTILINE)


# init and the sample


def test_init_writes_the_sample_into_this_folder(typed: Typed, home: Path) -> None:
    done = typed("config", "init")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith(f"hch: wrote {home / 'hch.toml'}: ")
    assert (home / "hch.toml").read_text("utf-8") == SAMPLE
    assert Config.read().root == home
    assert Config.read().file.defaults == Defaults()
    assert typed("config", "check").out == f"{home / 'hch.toml'} is fine\n"


def test_init_writes_the_users_file_and_its_folder(typed: Typed, home: Path) -> None:
    path = home / ".config" / "hch" / "hch.toml"
    assert typed("config", "init", "--user").err.startswith(f"hch: wrote {path}: ")
    assert path.read_text("utf-8") == SAMPLE
    assert not (home / "hch.toml").exists()


def test_init_overwrites_nothing_unless_it_must(typed: Typed, home: Path) -> None:
    (home / "hch.toml").write_text("mine")
    done = typed("config", "init")
    assert (done.code, done.out) == (2, "")
    assert "is there already: add --force to overwrite it" in done.err
    assert (home / "hch.toml").read_text() == "mine"
    assert typed("config", "init", "--force").code == 0
    assert (home / "hch.toml").read_text("utf-8") == SAMPLE


def test_init_follows_no_link_and_needs_a_file(typed: Typed, home: Path) -> None:
    path, target = home / "hch.toml", home / "elsewhere.toml"
    path.symlink_to(target)
    for force in ((), ("--force",)):
        done = typed("config", "init", *force)
        assert done.code == 2
        assert f"{path} is a link or no regular file" in done.err
        assert not target.exists()
    target.write_text("mine")
    assert typed("config", "init", "--force").code == 2
    assert target.read_text() == "mine"
    path.unlink()
    os.mkfifo(path)
    assert typed("config", "init", "--force").code == 2


def test_init_says_where_it_cannot_write(typed: Typed, home: Path) -> None:
    (home / ".config").write_text("no folder")
    done = typed("config", "init", "--user")
    assert done.code == 6
    assert "hch.toml cannot be written: " in done.err


def test_init_in_a_folder_that_is_gone_says_so(
    typed: Typed, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "gone").mkdir()
    monkeypatch.chdir(home / "gone")
    (home / "gone").rmdir()
    done = typed("config", "init")
    assert (done.code, done.err) == (6, "hch: the working folder is gone: go to another\n")
    assert typed("config", "check").code == 0


def test_the_repositorys_own_file_is_the_sample() -> None:
    assert (ROOT / "hch" / "commands" / "sample.toml").read_text("utf-8") == SAMPLE


def test_every_line_of_the_sample_is_right_when_it_is_uncommented(home: Path) -> None:
    table = ""
    for number, line in enumerate(SAMPLE.splitlines()):
        if SETTING.match(line):
            table = line[1:] if line.startswith("#[") else table
            lines = SAMPLE.splitlines()
            lines[number] = line[1:] if line.startswith("#[") else f"{table}\n{line[1:]}"
            models = "" if "[models]" in table else "[models]\nsmall = 'openai:x'\n"
            (home / "hch.toml").write_text("\n".join([*lines, models]), "utf-8")
            key = line[1:].partition(" =")[0].strip('"')
            at = f"{table.partition(']')[0][1:]}.{key}"
            assert line.startswith("#[") or at in Config.read().origin, line


def test_the_sample_has_every_setting_and_its_defaults(home: Path) -> None:
    text = SETTING.sub("", SAMPLE)
    (home / "hch.toml").write_text(text, "utf-8")
    said = tomllib.loads(text)
    assert set(said) == {"defaults", "models", "players", "prices"}
    assert list(said["defaults"]) == list(Defaults.model_fields)
    for key, value in Defaults().model_dump(exclude_none=True).items():
        assert said["defaults"][key] == value


def test_the_whole_sample_is_fine(typed: Typed, home: Path) -> None:
    (home / "hch.toml").write_text(SETTING.sub("", SAMPLE), "utf-8")
    (home / "prompts").mkdir()
    done = typed("config", "check")
    assert (done.code, done.out, done.err) == (0, f"{home / 'hch.toml'} is fine\n", "")


# show


def held() -> tuple[dict[str, Any], str]:
    """The settings in force, and where runs are kept."""
    config = Config.read()
    settings = config.file.model_dump(exclude={"defaults": {"store"}})
    return settings, config.kept_in(registry.names("stores"))


def test_show_is_an_hch_toml_that_makes_it_so(typed: Typed, home: Path) -> None:
    (home / "hch.toml").write_text(SETTING.sub("", SAMPLE), "utf-8")
    with (home / "hch.toml").open("a", encoding="utf-8") as file:
        file.write("'ollama:x y.z' = { input = 1e-3, output = 0, reasoning = 2 }\n")
    before = held()
    for words in (("config",), ("config", "show"), ("config", "show", "--origin")):
        shown = typed(*words)
        assert (shown.code, shown.err) == (0, "")
        (home / "hch.toml").write_text(shown.out, "utf-8")
        assert held() == before


def quoted(text: str) -> str:
    raw = (c if c.isprintable() and c not in '\\"' else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(raw)}"'


def test_whatever_is_set_show_makes_it_so(typed: Typed, home: Path) -> None:
    """Every payload and every character of the first planes, as a name and as a value."""
    ranges = ((0, 0xD800), (0xE000, 0x11000), (0x1BCA0, 0x1D200), (0xE0000, 0xE1000))
    texts = [p.text for p in PAYLOADS if p.text.encode("utf-8", "replace").decode() == p.text]
    texts.append("".join(chr(c) for low, high in ranges for c in range(low, high)))
    rows = "".join(f"{quoted(text)} = {quoted(f'openai:{text}')}\n" for text in texts)
    places = f"store = {quoted(texts[0])}\nprompts = {quoted(texts[1])}\n"
    (home / "hch.toml").write_text(f"[defaults]\n{places}[models]\n{rows}", "utf-8")
    before = held()
    assert len(before[0]["models"]) == len(texts)
    for words in (("config",), ("config", "--origin")):
        shown = typed(*words)
        assert (shown.code, shown.err) == (0, "")
        (home / "hch.toml").write_text(shown.out, "utf-8")
        assert held() == before


def test_what_no_toml_can_hold_is_shown_as_a_comment(home: Path) -> None:
    shown = hch("config", HCH_MODEL="\udcff", HCH_DEPTH="3").out
    assert shown.startswith('# defaults.model = "\\udcff"\n')
    assert tomllib.loads(shown)["defaults"]["depth"] == 3


@pytest.mark.parametrize("store", ["kept/runs.db", "a:b/runs.db"])
def test_a_store_is_the_same_one_from_every_folder(home: Path, store: str) -> None:
    (home / "hch.toml").write_text(f"[defaults]\nstore = '{store}'\n")
    (home / "sub").mkdir()
    asked = ["sh", "-c", 'cd sub && exec "$@"', "sh", *WORDS, "ask", "What is 2 + 3?", "-q"]
    subprocess.run(asked, check=True, capture_output=True)
    assert (home / store).is_file()
    assert f"# runs are kept in {home / store}\n" in hch("config").out


def test_show_tells_where_each_comes_from(typed: Typed, home: Path) -> None:
    user = home / ".config" / "hch" / "hch.toml"
    user.parent.mkdir(parents=True)
    user.write_text("[players]\nchecker = 'direct@small'\n")
    (home / "hch.toml").write_text("[defaults]\nmodel = 'small'\n[models]\nsmall = 'openai:x'\n")
    done = hch("config", "show", "--origin", HCH_DEPTH="5", OPENAI_API_KEY=KEY)
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0] == f'defaults.model = "small" # {home}/hch.toml, line 2'
    assert "defaults.depth = 5 # HCH_DEPTH" in lines
    assert "defaults.fanout = 16 # default" in lines
    assert f'models.small = "openai:x" # {home}/hch.toml, line 4' in lines
    assert f'players.checker = "direct@small" # {user}, line 2' in lines
    assert "# not set: strategy, budget, task, prompts, store" in lines
    assert f"# runs are kept in {home}/traces/hch.db" in lines
    assert "# keys that are set: OPENAI_API_KEY" in lines
    assert lines[-2:] == [f"# looked at {user}", f"# looked at {home}/hch.toml"]
    assert "canary" not in done.out


def test_show_without_any_file_has_the_defaults(typed: Typed, home: Path) -> None:
    done = typed("config")
    assert "defaults.depth = 2\n" in done.out
    assert done.out.endswith("hch.toml, which is not there\n")


def test_show_as_json(home: Path) -> None:
    (home / "hch.toml").write_text("[prices]\n'a:b' = {input = 1, output = 2}\n")
    done = hch("config", "--json", HCH_MODEL="openai:x", OPENAI_API_KEY=KEY)
    said = json.loads(done.out)
    assert said["defaults"]["model"] == {"value": "openai:x", "origin": "HCH_MODEL"}
    assert said["defaults"]["budget"] == {"value": None, "origin": "default"}
    row = {"input": 1.0, "output": 2.0, "cached": None, "reasoning": None, "cache_write": None}
    assert said["prices"]["a:b"] == {"value": row, "origin": f"{home / 'hch.toml'}, line 2"}
    assert (said["kept_in"], said["root"]) == (str(home / "traces" / "hch.db"), str(home))
    assert said["keys"] == ["OPENAI_API_KEY"]
    assert [file["there"] for file in said["files"]] == [False, True]
    assert "canary" not in done.out


def test_show_of_what_is_broken_says_so(typed: Typed, home: Path) -> None:
    (home / "hch.toml").write_text("[defaults]\nmodle = 'x'\n")
    done = typed("config", "show")
    assert (done.code, done.out) == (6, "")
    assert f"{home / 'hch.toml'}, line 2: unknown key 'defaults.modle'" in done.err


def test_nothing_unsafe_is_shown(typed: Typed, home: Path) -> None:
    text = '[models]\n"a\\u001b]0;x\\u0007" = "b\\u001b[31m\\u202e\\u007f\\nc"\n[zzz\\u001b]\n'
    for more in ("", '"z\\u001b[31m" = 1\n'):
        (home / "hch.toml").write_text(more + text.partition("[zzz")[0])
        for words in (("config",), ("config", "--origin"), ("config", "check")):
            done = typed(*words)
            assert done.code in (0, 6)
            written = (done.out + done.err).replace("\n", "")
            assert written.isprintable()


# check


def test_check_with_nothing_there_is_fine(typed: Typed) -> None:
    assert typed("config", "check") == Done(0, "there is no hch.toml, and all else is fine\n", "")
    said = json.loads(typed("config", "check", "--json").out)
    assert said == {"fine": True, "problems": [], "files": []}


def test_check_with_two_files(typed: Typed, home: Path) -> None:
    typed("config", "init")
    typed("config", "init", "--user")
    assert typed("config", "check").out.endswith(f" and {home / 'hch.toml'} are fine\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[defaults]\nmodel = 'opnai:x'",
            "defaults.model: no model 'opnai': did you mean 'openai'",
        ),
        ("[defaults]\nmodel = 'openai:x,temprature=1'", "did you mean 'temperature'?"),
        ("[defaults]\nmodel = 'openai:x,temperature=9'", "less than or equal to 2"),
        ("[defaults]\nstrategy = 'direkt'", "no strategy 'direkt': did you mean 'direct'?"),
        ("[defaults]\nstrategy = 'consult,turns=x'", "'turns='x'"),
        ("[defaults]\nstrategy = 'a,b'", "defaults.strategy: 'b' in 'a,b' is not an option"),
        ("[defaults]\ndepth = 99999", "defaults.depth: depth 99999 is not between 0"),
        ("[defaults]\nbudget = '5parsecs'", "defaults.budget: budget '5parsecs' is not an amount"),
        ("[defaults]\ntask = 'arithmatic'", "no task 'arithmatic': did you mean 'arithmetic'?"),
        ("[defaults]\nstore = '.'", "defaults.store: the store"),
        ("[defaults]\nprompts = 'none'", "defaults.prompts: the prompts folder "),
        ("[models]\nsmall = 'opnai:x'", "models.small: no model 'opnai'"),
        ("[models]\na = 'b'\nb = 'a'", "models: a → b → a goes in a circle"),
        ("[players]\nx = 'direct@'", "players.x: player 'direct@' names no model after its @"),
        ("[players]\nx = 'direct@opnai:y'", "players.x: no model 'opnai'"),
        ("[players]\nx = 'dirct'", "players.x: no strategy 'dirct'"),
        ("[prices]\n'opnai:x' = {input = 1, output = 1}", "prices.opnai:x: no model 'opnai'"),
        ("[prices]\nx = {input = 1, output = 1}", "prices: 'x' is no alias of [models]"),
    ],
)
def test_check_tells_what_is_wrong_and_where(
    typed: Typed, home: Path, text: str, said: str
) -> None:
    (home / "hch.toml").write_text(text)
    done = typed("config", "check")
    assert (done.code, done.err) == (6, "")
    first = done.out.splitlines()[0]
    assert first.startswith(f"{home / 'hch.toml'}, line 2: ")
    assert said.replace("'turns=", "turns=") in first


def test_check_tells_everything_at_once(home: Path) -> None:
    (home / "hch.toml").write_text(
        "[defaults]\nmodle = 'x'\nstrategy = 'direkt'\nbudget = '5x'\ndepth = 'x'\n"
        "[models]\nsmall = 'opnai:x'\nbig = 'openai:x,zzz=1'\n[players]\nme = 'direct@smal'\n"
    )
    done = hch("config", "check", HCH_FANOUT="0", HCH_DPETH="3", HCH_TASK="arithmatic")
    assert done.code == 6
    wheres = [line.partition(": ")[0].rpartition("/")[2] for line in done.out.splitlines()]
    assert wheres == [
        "hch.toml, line 5",
        "hch.toml, line 2",
        "HCH_FANOUT",
        "HCH_DPETH",
        "hch.toml, line 3",
        "hch.toml, line 4",
        "HCH_TASK",
        "hch.toml, line 7",
        "hch.toml, line 8",
        "hch.toml, line 10",
    ]
    said = json.loads(hch("config", "check", "--json").out)
    assert said["fine"] is False
    assert len(said["problems"]) == 7
    assert said["files"] == [str(home / "hch.toml")]


def test_check_says_which_alias_may_be_meant(typed: Typed, home: Path) -> None:
    (home / "hch.toml").write_text(
        "[defaults]\nmodel = 'smal'\nstrategy = 'chekcer'\n"
        "[models]\nsmall = 'openai:x'\n[players]\nchecker = 'direct@small'\n"
    )
    model, strategy = typed("config", "check").out.splitlines()
    assert model.endswith("or is the alias 'small' meant?")
    assert strategy.endswith("or is the alias 'checker' meant?")


def test_what_an_alias_lacks_here_is_no_fault_of_it(typed: Typed, home: Path) -> None:
    (home / "hch.toml").write_text(
        "[models]\nsmall = 'openai:x'\n[players]\nchecker = 'direct@small'\n"
    )
    assert typed("config", "check").code == 0


def test_a_person_may_be_a_default_or_an_alias(home: Path) -> None:
    text = "[models]\nme = 'human'\n[players]\nchecker = 'consult@me'\n"
    for strategy in ("", "[defaults]\nstrategy = 'checker'\n"):
        (home / "hch.toml").write_text(text + strategy)
        assert hch("config", "check", HCH_MODEL="human").code == 0
        check_in_force(HCH())


def test_a_person_of_the_settings_is_asked(home: Path) -> None:
    text = (
        "[models]\nme = 'human'\n[players]\nalone = 'direct@me'\n[defaults]\nstrategy = 'alone'\n"
    )
    (home / "hch.toml").write_text(text)
    with Seat("ask", "Why?", "--depth", "0") as seat:
        seat.answers("your answer", "So.")
        assert seat.rest().count("So.")
        assert seat.code == 0


def test_aliases_that_mean_the_same_are_told_each(typed: Typed, home: Path) -> None:
    (home / "hch.toml").write_text("[models]\na = 'opnai:x'\nb = 'opnai:x'\nc = 'b'\n")
    wheres = [line.partition(": no model")[0] for line in typed("config", "check").out.splitlines()]
    at = f"{home / 'hch.toml'}, line"
    assert wheres == [f"{at} 2: models.a", f"{at} 3: models.b", f"{at} 4: models.c"]


def test_options_before_a_command_of_config_hold_for_it(typed: Typed) -> None:
    assert json.loads(typed("config", "--json", "check").out)["fine"] is True
    assert typed("config", "--origin", "show").out == typed("config", "show", "--origin").out
    assert typed("config", "--json", "init").code == 2


def test_check_reads_the_prompts(typed: Typed, home: Path) -> None:
    (home / "hch.toml").write_text("[defaults]\nprompts = 'mine'\n")
    mine = home / "mine"
    (mine / "factored").mkdir(parents=True)
    (mine / "README.md").write_text("My prompts.")
    (mine / "direct.md").write_text((ROOT / "prompts" / "direct.md").read_text("utf-8"), "utf-8")
    assert typed("config", "check").code == 0
    (mine / "direct.md").write_text("--- user ---\n$question\n")
    (mine / "repair.md").write_bytes(b"\xff")
    (mine / "factored" / "decompse.md").write_text("--- user ---\n$question\n")
    (mine / "factored" / "synthesize.md").mkdir()
    os.mkfifo(mine / "factored" / "decompose.md")
    done = typed("config", "check")
    assert done.code == 6
    at = f"{home / 'hch.toml'}, line 2: defaults.prompts: {mine}"
    for line, said in zip(
        done.out.splitlines(),
        (
            "direct.md: prompt 'direct' lacks $context, $manual: put it into the file",
            "factored/decompose.md: it is not a regular file",
            "factored/decompse.md: no strategy has a prompt 'factored/decompse': did you mean 'fac",
            "factored/synthesize.md: it is not a regular file",
            "repair.md: it is not text in UTF-8",
        ),
        strict=True,
    ):
        assert line.startswith(f"{at}/{said}")


def test_a_strategy_that_cannot_be_built_alone_is_let_be(home: Path) -> None:
    (home / "hch.toml").write_text("[defaults]\nprompts = 'mine'\n")
    (home / "mine").mkdir()
    env = install(home, "strategies.odd", "odd", '"""Odd."""\ndef build(*, by: str): ...\n')
    assert hch("config", "check", **env).code == 0


# what a command takes


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("[defaults]\nmodel = 'opnai:x'", "line 2: defaults.model: no model 'opnai'"),
        ("[defaults]\nstrategy = 'factord'", "line 2: defaults.strategy: no strategy 'factord'"),
        ("[models]\nb = 'a'\na = 'opnai:x'\n[defaults]\nmodel = 'b'", "line 3: models.a: no mo"),
        ("[players]\nme = 'dirct'\n[defaults]\nstrategy = 'me'", "line 2: players.me: no strat"),
        ("[defaults]\ndepth = 99999", "line 2: defaults.depth: depth 99999 is not"),
        ("[defaults]\ntask = 'x'", "line 2: defaults.task: no task 'x'"),
        ("[defaults]\nbudget = 'x'", "line 2: defaults.budget: budget 'x' is not"),
        ("[defaults]\nstore = '.'", "line 2: defaults.store: the store"),
        ("[defaults]\nprompts = 'x'", "line 2: defaults.prompts: the prompts folder"),
    ],
)
def test_a_default_in_force_is_told_where_it_stands(home: Path, text: str, where: str) -> None:
    (home / "hch.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        check_in_force(HCH())
    assert str(caught.value).startswith(f"{home / 'hch.toml'}, {where}")


def test_a_default_that_is_not_in_force_or_is_well_is_let_be(home: Path) -> None:
    text = "[defaults]\nmodel = 'x'\nstrategy = 'x'\nbudget = 'x'\ndepth = 99999\ntask = 'x'\n"
    (home / "hch.toml").write_text(text + "store = '.'\nprompts = 'x'\n")
    check_in_force(
        HCH(
            model="openai:x",
            strategy="direct",
            budget="9calls",
            depth=1,
            task="arithmetic",
            store="memory",
            prompts="prompts",
        )
    )
    (home / "hch.toml").write_text("[models]\na = 'openai:x'\n[defaults]\nmodel = 'a'\n")
    check_in_force(HCH())
