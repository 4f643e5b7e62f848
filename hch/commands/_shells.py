"""Completion in bash, zsh and fish: the script of each shell, and what `hch` answers it.

The script asks `hch --complete SHELL WORD…` for what can stand in the place of the last word, and
gets a line each: a value, and for zsh and fish a tab and what it is; or only `<files>` or
`<folders>`, of which the shell knows more. No shell evaluates anything of what it gets.
"""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

from hch.commands._completion import FILES, FOLDERS
from hch.commands._terminal import say, tell
from hch.environment import variable
from hch.errors import HchError
from hch.safe_text import one_line

Shell: TypeAlias = Literal["bash", "zsh", "fish"]

ASKED = "--complete"
"""The first word of a command line by which a script asks."""

_SAFE = re.compile(r"[\w./:,@+=%~-]+")
"""What no shell has to quote; nothing else is offered."""

_HELP = 72

BASH = r"""# Completion of hch for bash.
_hch() {
    local line=${COMP_LINE:0:COMP_POINT} value cut=
    local word=${line##*[[:space:]]} breaks=${COMP_WORDBREAKS//[^:=@]/}
    # readline replaces only what follows the last of these in a word, and an @ as well
    if [[ -n $breaks && $word == *[$breaks]* ]]; then cut=${word%"${word##*[$breaks]}"}; fi
    cut=${cut%@}
    COMPREPLY=()
    while IFS= read -r value; do
        case $value in
            '<files>') compopt -o default 2>/dev/null ;;
            '<folders>') compopt -o dirnames 2>/dev/null ;;
            *) COMPREPLY+=("${value#"$cut"}") ;;
        esac
    done < <(hch --complete bash "$line" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:=@,/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
complete -o nosort -F _hch hch 2>/dev/null || complete -F _hch hch"""

ZSH = r"""#compdef hch
# Completion of hch for zsh.
_hch() {
    local -a lines open closed
    local line value help
    lines=("${(@f)$(hch --complete zsh "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    for line in $lines; do
        value=${line%%$'\t'*} help=
        [[ $line == *$'\t'* ]] && help=:${line#*$'\t'}
        case $value in
            '<files>') compset -P 1 '--*='; _files; return ;;
            '<folders>') compset -P 1 '--*='; _files -/; return ;;
            *[:=@,/]) open+=("${value//:/\\:}$help") ;;
            *) closed+=("${value//:/\\:}$help") ;;
        esac
    done
    (( $#closed )) && _describe -V -t hch hch closed
    (( $#open )) && _describe -V -t hch-open hch open -S ''
    (( $#closed + $#open ))
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _hch "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
    compdef _hch hch
fi"""

FISH = r"""# Completion of hch for fish.
function __hch_complete
    set -l words (commandline -opc)
    set -l token (commandline -ct)
    set -l said (hch --complete fish $words[2..-1] "$token" 2>/dev/null)
    set -l option (string match -r -- '^--[^=]+=' $token)
    set -l value (string replace -- "$option" '' $token)
    switch "$said[1]"
        case '<files>'
            __fish_complete_path $value | string replace -r -- '^' "$option"
        case '<folders>'
            __fish_complete_directories $value | string replace -r -- '^' "$option"
        case '*'
            string join -- \n $said
    end
end
complete --command hch --no-files --keep-order --arguments '(__hch_complete)'"""

SCRIPTS: dict[Shell, str] = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def install(shell: Shell) -> None:
    """Write a shell's script where it looks, or have its own file read it. Raises HchError."""
    from hch.config import home_folder

    home = home_folder()
    config = Path(variable("XDG_CONFIG_HOME") or home / ".config")
    try:
        if shell == "fish":
            _write(config / "fish" / "completions" / "hch.fish", shell)
        else:
            script = config / "hch" / f"completion.{shell}"
            _write(script, shell)
            own = home if shell == "bash" else Path(variable("ZDOTDIR") or home)
            _read_by(own / f".{shell}rc", script)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise HchError(f"completion cannot be installed: {reason}") from error
    tell(f"completion works in every {shell} that is started from now on")


def _write(script: Path, shell: Shell) -> None:
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(SCRIPTS[shell] + "\n", "utf-8")
    say(one_line(str(script)))


def _read_by(file: Path, script: Path) -> None:
    """Have a shell's own file read the script, if it does not already."""
    line = f"source {shlex.quote(str(script))}"
    old = file.read_text("utf-8") if file.exists() else ""
    if line not in old.splitlines():
        with file.open("a", encoding="utf-8") as added:
            added.write(f"{'' if old.endswith(chr(10)) or not old else chr(10)}{line}\n")
        say(one_line(str(file)))


def answer(command: Any, words: list[str]) -> None:
    """Tell a shell what the last of these words can be; nothing where that cannot be known."""
    shell, *rest = words or [""]
    if shell == "bash":
        rest = split(" ".join(rest))[1:]
    *before, last = rest or [""]
    lines: list[str] = []
    with suppress(Exception):  # whatever is wrong, a line that is being typed is not the place
        lines = _lines(command, before, last, shell)
    if lines:
        say("\n".join(lines))


def _lines(command: Any, before: list[str], last: str, shell: str) -> list[str]:
    from typer._completion_classes import BashComplete  # what it inherits is the same for any shell

    joined = last.startswith("--") and "=" in last and "--" not in before
    option = last[: last.index("=") + 1] if joined else ""
    asked = BashComplete(command, {}, "hch", "")
    lines = []
    for item in asked.get_completions(before, last):
        value, about = option + item.value, one_line(item.help or "", _HELP)
        if item.help in (FILES, FOLDERS):
            lines.append(item.help)
        elif _SAFE.fullmatch(value):
            lines.append(f"{value}\t{about}" if about and shell != "bash" else value)
    return lines


def split(line: str) -> list[str]:
    """The words of a line that is being typed; the last one may be empty, or its quote open."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        return [*words, lexer.token]
    return [*words, ""] if not line or line[-1].isspace() else words
