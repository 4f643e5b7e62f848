"""Settings: which of several holds, where runs are kept, what is wrong with a file, and no keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from hch.config import KEYED_DEFAULTS, Config, Defaults
from hch.errors import ConfigError

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


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


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
    assert place.read().store == str(place.root / "kept" / "runs.db")


def test_an_absolute_store_is_meant_as_it_is(place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "x.db")
    place.has(project=f"defaults = {{store = '{path}'}}")
    assert place.read().store == path


def test_the_environments_store_comes_first(place: Place) -> None:
    place.has(project='defaults = {store = "kept/runs.db"}')
    assert place.read({"HCH_STORE": "memory"}).store == "memory"


# what is wrong with a file


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[defaults]\nmodel = \n", "line 2"),
        ("[defaults\n", "line 1"),
        ("a = 1\na = 2\n", "line 2"),
        ("\n\nx = [1, 2\n", "line 4|end of document"),
        (f"n = {'9' * 5000}", "digits"),
    ],
)
@pytest.mark.parametrize("whose", ["project", "user"])
def test_a_broken_file_is_named_with_its_line(
    place: Place, whose: str, text: str, said: str
) -> None:
    place.has(project="", user="").has(**{whose: text})
    path = place.user if whose == "user" else place.root / "hch.toml"
    with pytest.raises(ConfigError, match=said) as caught:
        place.read()
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defalts = {}", "unknown key 'defalts': did you mean 'defaults'?"),
        ("defaults = {modle = 'x'}", "unknown key 'defaults.modle': did you mean 'model'?"),
        (
            "defaults = {zzz = 'x'}",
            "'defaults.zzz': there are model, strategy, depth, store, budget",
        ),
        ("zzz = 1", "unknown key 'zzz': there are defaults, models, players"),
        ("defaults = 3", "defaults: Input should be a valid dictionary"),
        ("defaults = {depth = -1}", "defaults.depth: Input should be greater than or equal to 0"),
        ("defaults = {depth = 'deep'}", "defaults.depth: Input should be a valid integer"),
        ("defaults = {model = ''}", "defaults.model: it is empty"),
        ("defaults = {store = ' '}", "defaults.store: it is empty"),
        ("models = {a = 'b', b = 'a'}", "models: a → b → a goes in a circle"),
        ("players = {a = 'a'}", "players: a → a goes in a circle"),
        ("models = {small = 3}", "models.small: Input should be a valid string"),
        ("models = ['small']", "models: Input should be a valid dictionary"),
    ],
)
@pytest.mark.parametrize("whose", ["project", "user"])
def test_a_wrong_key_is_told_with_the_file_it_stands_in(
    place: Place, whose: str, text: str, said: str
) -> None:
    place.has(project="", user="").has(**{whose: text})
    path = place.user if whose == "user" else place.root / "hch.toml"
    with pytest.raises(ConfigError) as caught:
        place.read({"HCH_MODEL": "openai:x"})
    assert str(caught.value).startswith(f"{path}: ")
    assert said in str(caught.value)


def test_a_file_that_is_no_text_is_named(place: Place) -> None:
    (place.root / "hch.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"hch\.toml: 'utf-8' codec can't decode"):
        place.read()


def test_a_folder_of_that_name_is_an_error(place: Place) -> None:
    (place.inside / "hch.toml").mkdir()
    with pytest.raises(ConfigError, match=r"hch\.toml is not a regular file"):
        place.read()


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
