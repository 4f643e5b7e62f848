"""Settings: which of several holds, where runs are kept, what is wrong with a file, and no keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch import registry
from hch.config import KEYED_DEFAULTS, Config, Defaults, Look, PriceRow, look
from hch.errors import ConfigError
from hch.settings import lines_of

KEY = "sk-canary-0123456789"


class Place:
    """A home, and a project that may have a file; `read` as from a folder inside the project."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = tmp_path / "home"
        self.root = tmp_path / "project"
        self.user = self.home / ".config" / "hch" / "hch.toml"
        self.user.parent.mkdir(parents=True)
        self.inside = self.root / "a" / "b"
        self.inside.mkdir(parents=True)

    def has(self, project: str | None = None, user: str | None = None) -> Place:
        for path, text in ((self.root / "hch.toml", project), (self.user, user)):
            if text is not None:
                path.write_text(text, "utf-8")
        return self

    def read(self, environ: Mapping[str, str] | None = None) -> Config:
        return Config.read(self.inside, {"HOME": str(self.home), **(environ or {})})

    def look(self, environ: Mapping[str, str] | None = None) -> Look:
        return look(self.inside, {"HOME": str(self.home), **(environ or {})})


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def kept_in(config: Config) -> str:
    """Where runs are kept, with the stores that there are."""
    return config.kept_in(registry.names("stores"))


# which holds


def test_with_nothing_set_the_defaults_hold(place: Place) -> None:
    config = place.read()
    assert config.file.defaults == Defaults()
    assert config.file.defaults.depth == 2
    assert config.root is None
    assert config.keys == {}
    assert config.default_model() is None


def test_the_environment_comes_before_the_project_before_the_user(place: Place) -> None:
    place.has(user='defaults = {model = "user", strategy = "consult", depth = 5}')
    assert place.read().file.defaults == Defaults(model="user", strategy="consult", depth=5)
    place.has(project='defaults = {model = "project", depth = 4}')
    assert place.read().file.defaults == Defaults(model="project", strategy="consult", depth=4)
    config = place.read({"HCH_MODEL": "env"})
    assert config.file.defaults == Defaults(model="env", strategy="consult", depth=4)


def test_an_empty_variable_is_as_good_as_none(place: Place) -> None:
    place.has(project='defaults = {model = "project"}')
    config = place.read({"HCH_MODEL": "", "HCH_STORE": "", "OPENAI_API_KEY": ""})
    assert config.file.defaults.model == "project"
    assert config.store == str(place.root / "traces" / "hch.db")
    assert config.keys == {}


def test_aliases_of_both_files_are_known_and_the_projects_win(place: Place) -> None:
    place.has(
        user='models = {small = "u:s", mine = "u:m"}\nplayers = {checker = "direct@mine"}',
        project='models = {small = "p:s"}',
    )
    config = place.read()
    assert config.model("small") == "p:s"
    assert config.model("mine") == "u:m"
    assert config.model("openai:other") == "openai:other"
    assert config.player("checker") == "direct@mine"
    assert config.player("direct") == "direct"


def test_the_nearest_file_above_is_the_projects(place: Place) -> None:
    place.has(project="defaults = {depth = 1}")
    (place.inside.parent / "hch.toml").write_text("defaults = {depth = 7}")
    config = place.read()
    assert config.root == place.inside.parent
    assert config.file.defaults.depth == 7


def test_the_users_file_may_be_elsewhere(place: Place, tmp_path: Path) -> None:
    elsewhere = tmp_path / "config"
    (elsewhere / "hch").mkdir(parents=True)
    (elsewhere / "hch" / "hch.toml").write_text("defaults = {depth = 9}")
    place.has(user="defaults = {depth = 8}")
    assert place.read({"XDG_CONFIG_HOME": str(elsewhere)}).file.defaults.depth == 9
    assert place.read({"XDG_CONFIG_HOME": ""}).file.defaults.depth == 8


def test_by_default_it_reads_the_working_folder_and_the_environment(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "hch.toml").write_text("defaults = {depth = 6}")
    monkeypatch.setenv("HCH_MODEL", "openai:x")
    config = Config.read()
    assert config.root == home.resolve()
    assert config.file.defaults == Defaults(model="openai:x", depth=6)


def test_which_model_answers_when_none_is_named(place: Place) -> None:
    variable, model = KEYED_DEFAULTS[0]
    assert place.read({variable: KEY}).default_model() == model
    assert place.read({"SOME_OTHER_API_KEY": KEY}).default_model() is None
    place.has(project='defaults = {model = "small"}\nmodels = {small = "vllm:org/m"}')
    assert place.read({variable: KEY}).default_model() == "vllm:org/m"


# where runs are kept


def test_runs_are_kept_beside_the_nearest_file(place: Place) -> None:
    assert place.has(project="").read().store == str(place.root / "traces" / "hch.db")


def test_without_a_file_runs_are_kept_with_the_users_data(place: Place, tmp_path: Path) -> None:
    assert place.read().store == str(place.home / ".local" / "share" / "hch" / "hch.db")
    config = place.read({"XDG_DATA_HOME": str(tmp_path / "data")})
    assert config.store == str(tmp_path / "data" / "hch" / "hch.db")


def test_a_store_in_a_file_is_meant_from_that_files_folder(place: Place) -> None:
    place.has(project='defaults = {store = "kept/runs.db"}')
    assert kept_in(place.read()) == str(place.root / "kept" / "runs.db")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("a/b", "{folder}/a/b"),
        ("../a", "{folder}/../a"),
        ("~/a", "{home}/a"),
        ("~", "{home}"),
        ("~a", "{folder}/~a"),
        ("/a", "/a"),
    ],
)
@pytest.mark.parametrize("whose", ["project", "user"])
@pytest.mark.parametrize("key", ["store", "prompts"])
def test_a_path_is_meant_from_the_folder_of_its_file(
    place: Place, whose: str, key: str, given: str, meant: str
) -> None:
    place.has(project="", user="").has(**{whose: f"defaults = {{{key} = '{given}'}}"})
    folder = place.user.parent if whose == "user" else place.root
    config = place.read()
    found = kept_in(config) if key == "store" else config.file.defaults.prompts
    assert found == meant.format(folder=folder, home=place.home)


@pytest.mark.parametrize(
    "spec", ["memory", "memory,x=1", "sqlite:a.db", "sqlite", "postgres://h/d"]
)
def test_a_stores_spec_is_no_path(place: Place, spec: str) -> None:
    place.has(project=f"defaults = {{store = '{spec}'}}")
    assert place.read().kept_in(["memory", "postgres", "sqlite"]) == spec


@pytest.mark.parametrize("path", ["a:b/hch.db", "memory.db", "c:runs", "a,b=c", "sqlites:x"])
def test_what_names_no_store_that_there_is_is_a_path(place: Place, path: str) -> None:
    place.has(project=f"defaults = {{store = '{path}'}}")
    assert kept_in(place.read()) == str(place.root / path)
    assert kept_in(place.read({"HCH_STORE": path})) == path


def test_a_path_is_that_of_the_file_that_holds(place: Place) -> None:
    place.has(project="defaults = {depth = 1}", user="defaults = {store = 'a.db'}")
    assert kept_in(place.read()) == str(place.user.parent / "a.db")
    place.has(project="defaults = {store = 'b.db'}")
    assert kept_in(place.read()) == str(place.root / "b.db")


def test_a_home_that_is_no_text_is_the_stores_matter(place: Place) -> None:
    assert "\udcff" in look(place.inside, {"HOME": "/\udcff"}).config.store


def test_an_absolute_store_is_meant_as_it_is(place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    place.has(project=f"defaults = {{store = '{path}'}}")
    assert place.read().store == path


def test_the_environments_store_comes_first(place: Place) -> None:
    place.has(project='defaults = {store = "kept/runs.db"}')
    assert place.read({"HCH_STORE": "memory"}).store == "memory"


# what is wrong with a file


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[defaults]\nmodel = \n", 2, "Invalid value (column 9)"),
        ("[defaults\n", 1, "Expected ']' at the end of a table declaration (column 10)"),
        ("a = 1\na = 2\n", 2, "Cannot overwrite a value (column 6)"),
        ("\r\n\r\n[defaults]\r\ndepth = 2 3\r\n", 4, "column 11"),
        ("\n\nx = [1, 2\n", None, "Unclosed array"),
        (f"n = {'9' * 5000}", None, "digits"),
        (f"n = {'[' * 5000}", None, "recursion"),
    ],
)
@pytest.mark.parametrize("whose", ["project", "user"])
def test_a_broken_file_is_named_with_its_line(
    place: Place, whose: str, text: str, line: int | None, said: str
) -> None:
    place.has(project="", user="").has(**{whose: text})
    path = place.user if whose == "user" else place.root / "hch.toml"
    with pytest.raises(ConfigError) as caught:
        place.read()
    assert str(caught.value).startswith(f"{path}, line {line}: " if line else f"{path}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defalts = {}", "unknown key 'defalts': did you mean 'defaults'?"),
        ("defaults = {modle = 'x'}", "unknown key 'defaults.modle': did you mean 'model'?"),
        ("defaults = {zzz = 'x'}", "'defaults.zzz': there are model, strategy, depth, budget, fan"),
        ("zzz = 1", "unknown key 'zzz': there are defaults, models, players, prices"),
        ("defaults = 3", "defaults: Input should be a valid dictionary"),
        ("defaults = {depth = -1}", "defaults.depth: Input should be greater than or equal to 0"),
        ("defaults = {depth = 'deep'}", "defaults.depth: Input should be a valid integer"),
        ("defaults = {depth = '2'}", "defaults.depth: Input should be a valid integer"),
        ("defaults = {depth = true}", "defaults.depth: Input should be a valid integer"),
        ("defaults = {fanout = 0}", "defaults.fanout: Input should be greater than or equal to 1"),
        ("defaults = {answer_tokens = 0}", "defaults.answer_tokens: Input should be greater"),
        ("defaults = {concurrency = 0}", "defaults.concurrency: Input should be greater"),
        ("defaults = {seed = 1.5}", "defaults.seed: Input should be a valid integer"),
        ("defaults = {model = ''}", "defaults.model: it is empty"),
        ("defaults = {store = ' '}", "defaults.store: it is empty"),
        ("defaults = {prompts = ''}", "defaults.prompts: it is empty"),
        ("models = {a = 'b', b = 'a'}", "models: a → b → a goes in a circle"),
        ("models = {c = 'a', a = 'b', b = 'a'}", "models: a → b → a goes in a circle"),
        ("players = {a = 'a'}", "players: a → a goes in a circle"),
        ("models = {small = 3}", "models.small: Input should be a valid string"),
        ("models = ['small']", "models: Input should be a valid dictionary"),
        ("prices = {'a:b' = 3}", "prices.a:b: Input should be a valid dictionary"),
        ("prices = {'a:b' = {input = 1}}", "prices.a:b.output: Field required"),
        ("prices = {'a:b' = {inptu = 1, output = 1, input = 1}}", "did you mean 'input'?"),
        ("prices = {'a:b' = {input = -1, output = 1}}", "prices.a:b.input: Input should be great"),
        ("prices = {'a:b' = {input = 1, output = inf}}", "prices.a:b.output: Input should be a fi"),
        ("prices = {'a:b' = {input = 1, output = nan}}", "prices.a:b.output: Input should be"),
        ("prices = {'a:b,c=1' = {input = 1, output = 1}}", "prices: 'a:b,c=1' has options: write"),
        ("prices = {small = {input = 1, output = 1}}", "'small' is no alias of [models]: write P"),
    ],
)
@pytest.mark.parametrize("whose", ["project", "user"])
def test_a_wrong_key_is_told_with_the_file_and_line_it_stands_in(
    place: Place, whose: str, text: str, said: str
) -> None:
    place.has(project="", user="").has(**{whose: f"\n# one thing\n{text}\n"})
    path = place.user if whose == "user" else place.root / "hch.toml"
    with pytest.raises(ConfigError) as caught:
        place.read({"HCH_MODEL": "openai:x"})
    assert str(caught.value).startswith(f"{path}, line 3: ")
    assert said in str(caught.value)


def test_an_unknown_price_says_which_alias_is_near(place: Place) -> None:
    place.has('models = {small = "a:b"}\nprices = {smal = {input = 1, output = 1}}')
    with pytest.raises(ConfigError, match=r"line 2: prices: 'smal' is .*: did you mean 'small'\?"):
        place.read()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[defaults]\n\nmodel = 'x'\nmodle = 'y'", 4),
        ("defaults.modle = 'x'", 1),
        ("[models]\nx = 'y'\n\n  [defaults] # [models]\n\tmodle = 'x'", 5),
        ('[models]\nx = """\n[defaults]\nmodle = 1\n"""\n[defaults]\n"modle" = 2', 7),
        ("[defaults]\nmodel = 'modle = 1' # modle = 2\nmodle = 3", 3),
        ("[models]\nmodle = 'x'\n[defaults]\nmodle = 'y'", 4),
        ("[defaults]\nmodle = [\n  1,\n\n  2,\n]\n", 2),
        ("[defaults]\nmodle.a = 1\nmodle.b = 2", 2),
        ("[defaults]\r\ndepth = 2\r\nmodle = 1\r\n", 3),
        ("[defaults.modle]\nx = 1", 1),
        ("\ufeff[defaults]\nmodle = 1", 2),
    ],
)
def test_the_line_is_that_of_the_key(place: Place, text: str, line: int) -> None:
    (place.root / "hch.toml").write_bytes(text.encode())
    with pytest.raises(ConfigError) as caught:
        place.read()
    where = f"{place.root / 'hch.toml'}, line {line}: unknown key 'defaults.modle"
    assert str(caught.value).startswith(where)


@pytest.mark.parametrize("line", ["x" * 4000, "]" * 4000, r"\"] = [" * 500])
def test_no_statement_is_too_long(place: Place, line: str) -> None:
    """However often a line looks like the end of one, each statement is parsed once."""
    texts = '"""' + f"{line}\n" * 200 + '"""'
    lists = "[\n" + f"['{line}'],\n" * 200 + "]"
    place.has(f"models.a = {texts}\nmodels.b = {lists}\ndefaults.modle = 1\n")
    assert [told.removeprefix(f"{place.root}/") for told in place.look().problems] == [
        "hch.toml, line 404: unknown key 'defaults.modle': did you mean 'model'?",
        "hch.toml, line 202: models.b: Input should be a valid string",
    ]


def test_a_key_of_a_thousand_steps_is_told_like_any_other(place: Place) -> None:
    place.has(f"models.{'a.' * 3000}a = 1")
    with pytest.raises(ConfigError, match=r"line 1: models\.a: Input should be a valid string"):
        place.read()


VALUES = (
    "1", "''", "'a # b'", r'"a \" ] [ \\"', "[\n  1, # ] '\n  [2],\n]", "{a = [\n'}'\n], b = '['}",
    '"""\n[x]\n""\\"""\n"""', '""""a"""""', '"""\\\n  a = 1"""', "'''\n\"\"\"\n'''''", "''''''",
)  # fmt: skip
"""Values of TOML, some of many lines and with what only looks like an end."""


@given(st.lists(st.sampled_from(["", "# '[\"", "  ", *VALUES])), st.sampled_from(["\n", "\r\n"]))
def test_the_line_of_every_statement_is_found(parts: list[str], newline: str) -> None:
    lines, wanted = 1, {}
    text = ""
    for i, part in enumerate(parts):
        statement = f"k{i} = {part}" if part in VALUES else part
        if part in VALUES:
            wanted[(f"k{i}",)] = lines
        text += f"{statement}\n"
        lines += statement.count("\n") + 1
    found = lines_of(text.replace("\n", newline))
    assert {keys: line for keys, line in found.items() if len(keys) == 1} == wanted


def test_a_prices_faults_have_the_line_of_their_key(place: Place) -> None:
    place.has('[prices."a:b"]\ninput = 1\n\n[prices."a:c"]\ninput = 1\noutput = "x"\n')
    problems = place.look().problems
    path = place.root / "hch.toml"
    assert [told.partition(": ")[0] for told in problems] == [f"{path}, line 1", f"{path}, line 6"]


def test_everything_wrong_is_collected_and_the_rest_holds(place: Place) -> None:
    place.has(
        project="[defaults]\ndepth = 7\nmodle = 1\nfanout = 0\n[models]\na = 'a'\n[zzz]\n",
        user="[defaults]\ndepth = 'x'\nseed = 5\nstrategy = ''\n",
    )
    seen = place.look({"HCH_FANOUT": "many", "HCH_SEED": "9"})
    assert [told.removeprefix(str(place.root.parent)) for told in seen.problems] == [
        "/home/.config/hch/hch.toml, line 4: defaults.strategy: it is empty",
        "/home/.config/hch/hch.toml, line 2: defaults.depth: Input should be a valid integer",
        "/project/hch.toml, line 4: defaults.fanout: Input should be greater than or equal to 1",
        "/project/hch.toml, line 3: unknown key 'defaults.modle': did you mean 'model'?",
        "/project/hch.toml, line 7: unknown key 'zzz': there are defaults, models, players, prices",
        "HCH_FANOUT: Input should be a valid integer, unable to parse string as an integer",
        "/project/hch.toml, line 6: models: a → a goes in a circle",
    ]
    assert seen.config.file.defaults == Defaults(depth=7, seed=9)
    assert [(file.path.parent.name, file.there) for file in seen.files] == [
        ("hch", True),
        ("project", True),
    ]


def test_a_file_that_is_no_text_is_named(place: Place) -> None:
    (place.root / "hch.toml").write_bytes(b"# \n\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"hch\.toml, line 2: it is not text in UTF-8"):
        place.read()


def test_a_folder_of_that_name_is_an_error(place: Place) -> None:
    (place.inside / "hch.toml").mkdir()
    with pytest.raises(ConfigError, match=r"hch\.toml: it is not a regular file"):
        place.read()


def test_a_link_to_nothing_is_an_error(place: Place) -> None:
    (place.inside / "hch.toml").symlink_to("nowhere")
    with pytest.raises(ConfigError, match=r"hch\.toml: it cannot be read: No such file"):
        place.read()


def test_where_the_users_file_is_the_nearest_it_is_read_once(place: Place) -> None:
    place.has(user="defaults = {modle = 1}")
    seen = look(place.user.parent, {"HOME": str(place.home)})
    assert len(seen.files) == len(seen.problems) == 1


# variables


def test_every_default_has_its_variable(place: Place) -> None:
    place.has("[defaults]\nmodel='m'\nstrategy='s'\ndepth=1\nbudget='b'\nfanout=1\nseed=1\n")
    said = {
        "model": "a:b",
        "strategy": "direct",
        "depth": 5,
        "budget": "1calls",
        "fanout": 6,
        "answer_tokens": 7,
        "concurrency": 8,
        "seed": -9,
        "task": "t",
        "prompts": "p/q",
        "store": "kept.db",
        "cache": True,
        "cache_days": 9,
        "cache_mb": 10,
    }
    assert set(said) == set(Defaults.model_fields)
    config = place.read({f"HCH_{key.upper()}": str(value) for key, value in said.items()})
    assert config.file.defaults.model_dump() == said
    assert config.origin == {f"defaults.{key}": f"HCH_{key.upper()}" for key in said}
    assert config.store == "kept.db"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HCH_DEPTH", "two", "Input should be a valid integer"),
        ("HCH_DEPTH", "-1", "Input should be greater than or equal to 0"),
        ("HCH_FANOUT", "0", "Input should be greater than or equal to 1"),
        ("HCH_SEED", "1.5", "Input should be a valid integer"),
        ("HCH_MODEL", " ", "it is empty"),
        ("HCH_STORE", " ", "it is empty"),
    ],
)
def test_a_bad_variable_is_named(place: Place, name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        place.has("").read({name: value})
    assert str(caught.value).startswith(f"{name}: ")
    assert said in str(caught.value)


def test_a_variable_that_no_setting_has_is_only_told(place: Place) -> None:
    seen = place.look(
        {
            "HCH_DPETH": "3",
            "HCH_ZZZZZZ": "x",
            "HCH_TEST_GGUF": "x",
            "HCH_FAIL": "x",
            "HCH_MINE_API_KEY": KEY,
            "HCHX": "x",
        }
    )
    assert seen.problems == ()
    near, far = seen.strangers
    assert near == "HCH_DPETH: no setting has this variable: did you mean HCH_DEPTH?"
    assert far.startswith("HCH_ZZZZZZ: no setting has this variable: there are HCH_MODEL, HCH_")


def test_of_the_rest_of_the_environment_little_is_seen(place: Place) -> None:
    env = {"TERM": "dumb", "https_proxy": "http://u:secret@h", "HTTP_PROXY": "", "PATH": "/bin"}
    assert place.look(env).ambient == {"TERM": "dumb", "https_proxy": "set"}


def test_a_home_that_cannot_be_told_is_an_error(place: Place) -> None:
    with pytest.raises(ConfigError, match="the home folder is not known: set HOME"):
        look(place.inside, {"HOME": "~nobody-of-that-name"})


# where it comes from


def test_the_origin_of_each_setting_is_its_file_and_line(place: Place) -> None:
    place.has(
        project="[defaults]\nmodel = 'small'\n[models]\nsmall = 'p:s'\n",
        user="[defaults]\nmodel = 'u'\ndepth = 3\n\n[prices]\n'a:b' = {input=1, output=2}\n",
    )
    project = place.root / "hch.toml"
    assert place.read({"HCH_SEED": "4"}).origin == {
        "defaults.model": f"{project}, line 2",
        "defaults.depth": f"{place.user}, line 3",
        "defaults.seed": "HCH_SEED",
        "models.small": f"{project}, line 4",
        "prices.a:b": f"{place.user}, line 6",
    }


def test_prices_are_rows_and_the_projects_row_replaces_the_users(place: Place) -> None:
    place.has(
        user="prices = {'a:b' = {input = 9, output = 9, cached = 9}, 'a:c' = {input=1, output=0}}",
        project="prices = {'a:b' = {input = 0.15, output = 0.6, reasoning = 0.7}}",
    )
    assert place.read().file.prices == {
        "a:b": PriceRow(input=0.15, output=0.6, reasoning=0.7),
        "a:c": PriceRow(input=1, output=0),
    }


# keys


def test_keys_are_known_by_their_variables(place: Place) -> None:
    config = place.read(
        {"OPENAI_API_KEY": KEY, "MINE_API_KEY": "k2", "PATH": "/bin", "API_KEYS": ""}
    )
    assert {name: key.get_secret_value() for name, key in config.keys.items()} == {
        "OPENAI_API_KEY": KEY,
        "MINE_API_KEY": "k2",
    }


def test_a_key_is_in_nothing_that_can_be_shown(place: Place) -> None:
    config = place.read({"OPENAI_API_KEY": KEY})
    shown = [
        str(config),
        repr(config),
        f"{config.keys}",
        str(config.model_dump()),
        config.model_dump_json(),
        repr(vars(config)),
        repr(config.model_copy(update={"store": "x"})),
    ]
    assert not [text for text in shown if "canary" in text]


def test_a_key_is_not_in_the_error_of_a_broken_file(place: Place) -> None:
    place.has(project="[oops")
    with pytest.raises(ConfigError) as caught:
        place.read({"OPENAI_API_KEY": KEY})
    assert "canary" not in repr(caught.value) + str(caught.value.__cause__)


@pytest.mark.parametrize("name", ["file", "root", "keys", "store"])
def test_settings_cannot_be_changed(name: str) -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(Config(store="x"), name, None)
