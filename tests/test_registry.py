"""Specs are read as they are written; a plugin is a file, or an entry point; errors help."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hch
from hch import registry
from hch.errors import UsageError
from hch.registry import PlayerSpec, Spec, parse_levels

relaxed = settings(deadline=None)

WORD = st.text(st.characters(categories=["L", "N"], include_characters="_-."), min_size=1)
ARG = st.text(st.characters(categories=["L", "N", "P"], exclude_characters=",")).filter(
    lambda arg: arg == arg.strip()
)
NAME = WORD.filter(lambda name: ":" not in name and "=" not in name)
OPTIONS = st.dictionaries(NAME, ARG, max_size=3).map(lambda options: tuple(options.items()))
SPECS = st.builds(Spec, NAME, st.none() | ARG, OPTIONS)
ANY = st.text(st.characters(codec=None, categories=None)) | st.text("ab:,=/@+-0 ")


# specs


@relaxed
@given(SPECS)
def test_a_spec_is_read_as_it_is_written(spec: Spec) -> None:
    assert Spec.parse(str(spec)) == spec


@relaxed
@given(ANY)
def test_any_text_is_a_spec_or_a_usage_error(text: str) -> None:
    try:
        spec = Spec.parse(text)
    except UsageError:
        return
    assert spec.name
    assert Spec.parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("direct", Spec("direct")),
        ("openai:gpt", Spec("openai", "gpt")),
        ("openai:", Spec("openai", "")),
        ("vllm:org/model:tag", Spec("vllm", "org/model:tag")),
        ("vote,k=3", Spec("vote", None, (("k", "3"),))),
        (" vote , k = 3 ", Spec("vote", None, (("k", "3"),))),
        ("a:b,x=,y=1=2", Spec("a", "b", (("x", ""), ("y", "1=2")))),
        ("a,url=http://h:1/v1", Spec("a", None, (("url", "http://h:1/v1"),))),
    ],
)
def test_specs(text: str, spec: Spec) -> None:
    assert Spec.parse(text) == spec


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no name"),
        (":arg", "has no name"),
        (",k=3", "has no name"),
        ("vote,", "'' in 'vote,' is not an option"),
        ("vote,k", "'k' in 'vote,k' is not an option: write name=value"),
        ("vote,=3", "'=3' in 'vote,=3' is not an option"),
        ("vote,k=3,k=4", "names the option 'k' twice"),
    ],
)
def test_a_text_that_is_no_spec_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Spec.parse(text)


# players


@relaxed
@given(st.lists(SPECS.filter(lambda s: not set("/@") & set(str(s))), min_size=1, max_size=3), ARG)
def test_a_player_is_read_as_it_is_written(strategies: list[Spec], model: str) -> None:
    written = "/".join(map(str, strategies))
    assert PlayerSpec.parse(written) == PlayerSpec(tuple(strategies))
    if model:
        assert PlayerSpec.parse(f"{written}@{model}") == PlayerSpec(tuple(strategies), model)


def test_the_first_at_splits_and_only_its_left_side_has_wrappers() -> None:
    player = PlayerSpec.parse("vote,k=3/verify/factored@vllm:org/model@main,temperature=0")
    assert [spec.name for spec in player.strategies] == ["vote", "verify", "factored"]
    assert player.strategies[0].options == (("k", "3"),)
    assert player.model == "vllm:org/model@main,temperature=0"


@pytest.mark.parametrize("text", ["", "@m", "a@", "a@ ", "/a", "a/", "a//b", "a//b@m"])
def test_a_text_that_is_no_player_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        PlayerSpec.parse(text)


# levels


@relaxed
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_levels_are_read_within_the_depth(low: int, high: int, depth: int) -> None:
    for text, wanted in (
        (f"{low}", range(low, low + 1)),
        (f"{low}+", range(low, depth + 1)),
        (f"{low}-{high}", range(low, high + 1)),
    ):
        if wanted and wanted[-1] <= depth:
            assert list(parse_levels(text, depth)) == list(wanted)
        else:
            with pytest.raises(UsageError, match=f"not within 0 to {depth}"):
                parse_levels(text, depth)


@pytest.mark.parametrize(
    "text", ["", "+", "-", "-1", "x", "1-", "1-2-3", "1-2+", "1++", "1.5", "all"]
)
def test_a_text_that_is_no_levels_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write N, N\\+ or N-M"):
        parse_levels(text, 3)


@relaxed
@given(ANY)
def test_any_text_is_levels_or_a_usage_error(text: str) -> None:
    try:
        levels = parse_levels(text, 3)
    except UsageError:
        return
    assert levels
    assert set(levels) <= {0, 1, 2, 3}


# hch's own plugins


def test_every_file_of_a_kind_is_a_plugin_and_files_that_begin_with_an_underscore_are_not() -> None:
    folder = Path(hch.__file__).parent / "strategies"
    files = {path.stem for path in folder.glob("*.py") if not path.name.startswith("_")}
    assert set(registry.names("strategies")) == files


@pytest.mark.parametrize("kind", ["models", "strategies", "stores", "tasks"])
def test_every_plugin_builds_something_and_says_what_it_is(kind: str) -> None:
    for name in registry.names(kind):
        line, options = registry.describe(kind, name)
        assert line
        assert all(isinstance(default, str) for default in options.values())


def test_an_unknown_name_lists_what_exists_and_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        registry.load("strategies", "factord")
    said = str(caught.value)
    assert "no strategy 'factord'" in said
    assert "did you mean 'factored'?" in said
    assert ", ".join(registry.names("strategies")) in said


@pytest.mark.parametrize(
    "name", ["", "../errors", "_chat", "__init__", "openai.sub", "os", "Direct"]
)
def test_nothing_but_a_plugin_can_be_loaded(name: str) -> None:
    for kind in ("models", "strategies"):
        with pytest.raises(UsageError, match="there are"):
            registry.load(kind, name)


def test_an_unknown_option_lists_what_exists_and_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        registry.build("strategies", Spec.parse("consult,turn=3"))
    assert str(caught.value) == (
        "strategy 'consult' has no option 'turn': did you mean 'turns'? there are turns, repeats"
    )


def test_options_are_converted_by_their_annotations() -> None:
    for text, repeats in (("true", False), ("false", True), ("1", False), ("no", True)):
        built = registry.build("strategies", Spec.parse(f"consult,repeats={text}"))
        assert built.refuses_repeats is repeats


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("consult,turns=many", "option turns='many': Input should be a valid integer"),
        ("consult,turns=0", "option turns='0': Input should be greater than or equal to 1"),
        ("consult,turns=-1", "greater than or equal to 1"),
        ("consult,turns=1.5", "option turns='1.5': Input should be a valid integer"),
        ("consult,turns=", "option turns= is empty"),
        ("consult,repeats=maybe", "option repeats='maybe': Input should be a valid boolean"),
        ("direct:fast", "strategy 'direct' takes no argument, but was given 'fast'"),
        ("direct,k=3", "strategy 'direct' has no option 'k': there are none"),
        ("consult,arg=3", "has no option 'arg'"),
    ],
)
def test_an_option_that_does_not_fit_is_refused_in_words(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        registry.build("strategies", Spec.parse(spec))


def test_what_hch_puts_in_is_no_option() -> None:
    with pytest.raises(UsageError, match="no option 'task': there are errors"):
        registry.build("strategies", Spec.parse("script,task=arithmetic"), task=None)


def test_an_argument_that_is_missing_is_asked_for() -> None:
    with pytest.raises(UsageError, match="model 'scripted' wants an argument: write scripted:ARG"):
        registry.build("models", Spec("scripted"))


# those of others

PLUGIN = '''
"""A strategy of somebody else's."""

def build(arg="plain", *, k: int = 3, unsaid=None):
    return (arg, k, unsaid)
'''

WANTING = '''
"""Wants an option."""

def build(*, k: int):
    return k
'''

NEEDY = '''
"""Needs what is not there."""

EXTRA = "data"

def build():
    import no_such_package.part
'''

BROKEN = """
import no_such_package

def build():
    return None
"""


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder with an installed distribution that adds plugins."""
    site = tmp_path / "site"
    info = site / "other-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[hch.plugins]\n"
        "strategies.theirs = other_plugins.theirs\n"
        "strategies.wanting = other_plugins.wanting\n"
        "strategies.needy = other_plugins.needy\n"
        "strategies.broken = other_plugins.broken\n"
        "strategies.gone = other_plugins.gone\n"
        "models.mine = other_plugins.theirs\n"
    )
    package = site / "other_plugins"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name, text in (
        ("theirs", PLUGIN), ("wanting", WANTING), ("needy", NEEDY), ("broken", BROKEN)
    ):  # fmt: skip
        (package / f"{name}.py").write_text(text)
    return site


def python(site: Path, code: str) -> str:
    """What a fresh interpreter prints that has this folder on its path."""
    head = "from hch import registry\nfrom hch.registry import Spec\n"
    done = subprocess.run(
        [sys.executable, "-c", head + code],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def build(spec: str) -> str:
    return f"""
try:
    print(repr(registry.build("strategies", Spec.parse({spec!r}))))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_an_entry_point_adds_a_plugin_to_its_kind(others: Path) -> None:
    listed = python(
        others,
        "import sys\n"
        "print(registry.names('strategies'), registry.names('models'), registry.names('tasks'))\n"
        "print('other_plugins' in sys.modules)\n"
        "print(registry.describe('strategies', 'theirs'))",
    ).splitlines()
    assert "'theirs'" in listed[0].partition("]")[0]
    assert "'mine'" in listed[0].split("]")[1]
    assert "mine" not in listed[0].split("]")[2]
    assert listed[1] == "False", "listing plugins imports none"
    assert "A strategy of somebody else" in listed[2]
    assert "'k': '3'" in listed[2]


def test_a_plugin_of_others_is_built_and_its_faults_are_told_in_words(others: Path) -> None:
    specs = [
        "theirs", "theirs:fancy,k=5,unsaid=so", "theirs,k=x", "theirs,q=1",
        "wanting,k=2", "wanting", "needy", "broken", "gone", "their",
    ]  # fmt: skip
    told = python(others, "".join(map(build, specs))).splitlines()
    said = dict(zip(specs, told, strict=True))
    assert said["theirs"] == "('plain', 3, None)"
    assert said["theirs:fancy,k=5,unsaid=so"] == "('fancy', 5, 'so')"
    assert said["theirs,k=x"].startswith("UsageError strategy 'theirs': option k='x'")
    assert said["theirs,q=1"].endswith("has no option 'q': there are k, unsaid")
    assert said["wanting,k=2"] == "2"
    assert said["wanting"].startswith(
        "UsageError strategy 'wanting' wants k: write wanting,k=VALUE"
    )
    assert said["needy"] == (
        "ConfigError strategy 'needy' needs 'no_such_package', which is not installed: "
        "pip install 'hch[data]'"
    )
    assert said["broken"].startswith("ConfigError strategy 'broken' needs 'no_such_package'")
    assert "hch[" not in said["broken"], "hch has no extra for the packages of others"
    assert said["gone"].startswith("ConfigError strategy 'gone' needs 'other_plugins.gone'")
    assert "did you mean 'theirs'?" in said["their"]


def test_a_missing_extra_says_how_to_install_it(others: Path) -> None:
    """As where the extra is not installed: the import system finds no `xllamacpp`."""
    (others / "sitecustomize.py").write_text(
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'xllamacpp':\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Missing())\n"
    )
    told = python(
        others,
        "try:\n"
        "    registry.build('models', Spec.parse('gguf:x.gguf'))\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)",
    )
    assert told == (
        "ConfigError model 'gguf' needs 'xllamacpp', which is not installed: "
        "pip install 'hch[gguf]'"
    )
