"""Commands that would run a file of the folder they are started in, which for agents is a clone that agents write.

A person's command may do so unintentionally: by a relative path, a module that Python looks for in the working folder,
a runner of a project's own scripts, or a variable with a relative folder. In doubt it is refused, since an absolute
path is always possible.
"""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tinytown.errors import ConfigurationError

#: Variables that hold search paths for programs or their modules.
_SEARCHED = frozenset({
    "PATH", "PYTHONPATH", "NODE_PATH", "RUBYLIB", "PERL5LIB", "PERLLIB", "CLASSPATH", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "LUA_PATH", "GEM_PATH", "GEM_HOME", "DYLD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES", "PYTHONHOME", "PHPRC", "GOPATH",
    "BASH_ENV", "ENV", "PYTHONSTARTUP", "ZDOTDIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "HOME",
})  # fmt: skip
#: Variables that hold options of an interpreter.
_OPTIONS = frozenset({"NODE_OPTIONS", "RUBYOPT", "PERL5OPT", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "BUN_OPTIONS"})
#: Programs that start another program, with those of their options that take a value.
_WRAPPERS: Mapping[str, str] = {
    "env": "-u --unset -C --chdir -S --split-string", "nice": "-n --adjustment", "nohup": "", "setsid": "",
    "timeout": "-s --signal -k --kill-after", "stdbuf": "-i -o -e --input --output --error", "time": "-f -o",
    "ionice": "-c -n -p", "chrt": "-p", "taskset": "-p", "sudo": "-u -g -C -D -h -p", "doas": "-u -C", "exec": "-a",
    "command": "", "xargs": "-I -n -P -d -L -s -a -E", "caffeinate": "-t", "firejail": "", "unbuffer": "",
    "xvfb-run": "-e -f -n -p -s -w", "dbus-run-session": "", "systemd-run": "-p -u -E", "unshare": "",
    "gosu": "", "flock": "-w -E --timeout --wait --conflict-exit-code", "chroot": "", "tini": "-p -e", "dumb-init": "",
    "catchsegv": "", "faketime": "-m", "proxychains": "-f", "proxychains4": "-f", "torsocks": "", "torify": "",
    "rlwrap": "-a -f -H -p -s", "numactl": "-C -N -m -i -p", "cgexec": "-g", "strace": "-e -o -p -s -u -E -a",
    "ltrace": "-e -o -p -s -u -a -n", "setarch": "", "ts": "", "choom": "-n", "catatonit": "",
    "prlimit": "-p --pid -o --output",
    "setpriv": "--reuid --regid --groups --inh-caps --ambient-caps --bounding-set --securebits --pdeathsig",
}  # fmt: skip
#: Wrappers with one word of their own before the program.
_OWN_WORD = frozenset({"timeout", "gosu", "taskset", "flock", "chroot", "faketime"})
#: Managers of environments whose `run` starts a program in one.
_ENVIRONMENTS = frozenset({"conda", "mamba", "micromamba", "dotenv"})
_OF_ENVIRONMENTS = "-n --name -p --prefix --cwd -f --file"
#: Programs that have another command somewhere in their arguments, or as a text for a shell.
_LAUNCHERS = frozenset(
    "su runuser sg newgrp script watch parallel find fd fdfind entr watchexec docker podman nerdctl kubectl oc ssh "
    "flatpak distrobox toolbox lxc incus machinectl systemd-nspawn bwrap nsjail proot fakeroot fakechroot valgrind "
    "perf gdbserver rr tmux screen dtach abduco at batch hyperfine rbenv pyenv nodenv nvm fnm volta".split()
)
_STARTS = frozenset({"-exec", "-execdir", "-ok", "-okdir", "-x", "--exec", "-X", "--exec-batch"})
#: Programs that run what the working folder says: its project files, or for git and gdb their settings in it.
_RUNNERS = frozenset(
    "npx npm pnpm pnpx yarn bunx corepack uv uvx poetry pipenv pdm hatch rye pixi tox nox invoke inv make gmake just "
    "task rake bundle bundler cargo go dotnet gradle mvn sbt mix composer direnv mise asdf rtx nix nix-shell devbox "
    "lerna nx turbo gulp grunt deno-task ant cmake ninja bazel scons doit cabal stack lein vagrant "
    "git hg jj gdb docker-compose podman-compose pre-commit earthly act dagger pants buck2 guix flox "
    "coverage pytest py.test".split()
)
#: Commands of git that run nothing from the folder but its hooks, and a clone has none.
_OF_GIT = frozenset(
    "add apply blame branch cat-file checkout clean commit describe diff fetch grep init log ls-files ls-tree mv reset "
    "restore rev-list rev-parse rm show stash status switch tag".split()
)
_PYTHON = re.compile(r"(?:python|pypy)[\d.]*[dmtuw]*(?:-dbg|-intel64)?")
_SHELL = re.compile(r"(?:ba|da|z|k|mk|a|fi)?sh|busybox")
_SCRIPTED = re.compile(
    r"(?:node(?:js)?|bun|deno|ruby|perl|php|lua(?:jit)?|Rscript|tsx|ts-node|julia|pwsh|osascript|ipython|tclsh|wish|"
    r"expect|guile|racket|escript|elixir|swift|groovy|kotlin|wine(?:64)?|mono|qemu-\w+|ld-[\w.-]+|ld\.so|"
    r"emacs|n?vim?|sbcl|ecl|clisp|runghc|runhaskell|ocaml|janet|fennel)[\d.]*"
)
#: Programs whose code is an argument, or a file that these options name.
_FILED = re.compile(r"[gmn]?awk|g?sed|jq|yq|psql|sqlite3|mysql|m4")
_FILES = re.compile(r"(-[filLE]|--(?:file|from-file|include|load|library-path|init-command|exec))(?:=(.*))?")
#: Code in a word that loads a file which is not at an absolute path.
_LOADING = re.compile(r"""\b(?:do|require(?:_once)?|include(?:_once)?|dofile|loadfile|load|source)\b[\s(]*["'](?!/)""")
#: Options of interpreters with code that they load beside the script, and with code in a word.
_LOADED = frozenset({
    "-r", "--require", "--import", "--loader", "--experimental-loader", "-I", "-C", "--env-file", "--config", "-c",
    "--preload", "-f", "--rcfile", "--init-file", "--library-path", "--audit", "--env-file-if-exists",
    "--experimental-config-file", "--openssl-config",
})  # fmt: skip
_INLINE = frozenset({
    "-e", "--eval", "-p", "--print", "-E", "eval", "--run", "run", "x", "exec", "task", "--test",
    "--experimental-default-config-file",
})  # fmt: skip
#: Interpreters to which a plain word is the name of a file, not a subcommand.
_NO_SUBCOMMANDS = frozenset({"perl", "php", "lua", "osascript", "Rscript", "pwsh"})
#: Interpreters that load files of their working folder whatever they run, and the options that prevent it.
_TAKES_FROM_FOLDER = {"Rscript": ("--vanilla", "--no-init-file"), "ipython": ("--ignore-cwd",)}
#: Options that have what they load in the same word, and Perl's for a folder with modules.
_ATTACHED = re.compile(r"-[rIC]=?([^-=].*)")
_LIB = re.compile(r"-[mM]\s*lib\b[^\w./]*(.*)")
_JOINS = re.compile(r"[;&|()\n]+")
_ASSIGNED = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{prompt(?:_file)?\}")
#: How many wrappers within wrappers are followed.
_DEPTH = 8


def require(setting: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
    """Raise ``ConfigurationError`` if the command, or a variable, of ``setting`` leads into the working folder."""
    if why := fault(argv) or variables(env or {}):
        raise ConfigurationError(
            f"`{setting}` would run what agents can write: {why}",
            remedy="install it outside of your repositories, and write absolute paths",
        )


def variables(env: Mapping[str, str]) -> str:
    """Which variable leads programs into the working folder; empty if none does."""
    for name, value in env.items():
        if name in _SEARCHED and value and any(not part.startswith("/") for part in value.split(":")):
            return f"{name} names a folder that is not absolute"
        if name in _OPTIONS:
            words = re.split(r"[\s=]+", value)
            loaded = [after for before, after in itertools.pairwise(words) if before in _LOADED]
            given = map(_attached, value.split())
            if not all(map(_is_fixed, filter(None, (*loaded, *given)))) or any(map(_is_relative, words)):
                return f"{name} loads a file that is not at an absolute path"
    return ""


def absolute(env: Mapping[str, str]) -> dict[str, str]:
    """The variables without entries that lead into the working folder: setups and checks may need them, agents not."""
    kept = dict(env)
    for name in _SEARCHED & kept.keys():
        kept[name] = ":".join(part for part in kept[name].split(":") if part.startswith("/"))
    return kept


def fault(argv: Sequence[str], *, depth: int = 0) -> str:
    """Why a command would run a file of its working folder, as a phrase; empty if it would not."""
    words = list(argv)
    while words and _ASSIGNED.fullmatch(words[0]) and depth:
        name, _, value = words.pop(0).partition("=")
        if why := variables({name: value}):
            return why
    if not words or depth > _DEPTH:
        return ""
    program, rest = words[0], words[1:]
    if depth and re.search(r"\s", program):
        return _of_script(program, depth)
    if "/" in program and not program.startswith("/"):
        return f"`{program}` is a relative path"
    name = program.rpartition("/")[2]
    if name == "git" and rest[:1] and rest[0] in _OF_GIT:
        return ""
    if name in _RUNNERS:
        return f"`{name}` runs what the project in its folder says"
    why = _by_kind(name, rest, depth)
    return why or next((f"`{word}` is a relative path" for word in rest if _is_relative(word)), "")


def _by_kind(name: str, rest: Sequence[str], depth: int) -> str:
    if name in _WRAPPERS:
        return _of_wrapper(name, rest, depth)
    if _PYTHON.fullmatch(name):
        return _of_python(name, rest)
    if _SHELL.fullmatch(name):
        return _of_shell(rest, depth)
    if name == "java":
        return _of_java(rest)
    if name in _LAUNCHERS:
        return _of_launcher(name, rest, depth)
    if _FILED.fullmatch(name):
        return _of_filed(name, rest)
    if _SCRIPTED.fullmatch(name):
        return _of_interpreter(name, rest)
    if name in _ENVIRONMENTS and "run" in rest:
        return _of_wrapper(name, rest[rest.index("run") + 1 :], depth)
    # Many other programs start another one in this way, such as `doppler run -- …`.
    return fault(rest[rest.index("--") + 1 :], depth=depth + 1) if "--" in rest else ""


def within(words: Sequence[str], places: Iterable[Path]) -> str:
    """The word of a command that names something in one of these folders, at any path; empty if none does."""
    if not (paths := named(words)):
        return ""
    real = [place.resolve() for place in places]
    for path in paths:
        try:
            if any(Path(path).resolve().is_relative_to(place) for place in real):
                return path
        except (OSError, ValueError, RuntimeError):
            continue
    return ""


def named(words: Sequence[str]) -> list[str]:
    """The absolute paths that the words of a command name."""
    found = (re.search(r"(?:^|=)(/.*)", word) for word in words)
    return [one[1] for one in found if one is not None]


def _is_relative(word: str) -> bool:
    """Whether a word, or the value of an option, is a path that begins in the working folder."""
    value = word.rpartition("=")[2] if word.startswith("-") else word
    return re.match(r"\.{1,2}/+[^/\s]", value) is not None


def _of_wrapper(name: str, rest: Sequence[str], depth: int) -> str:
    valued = _WRAPPERS.get(name, _OF_ENVIRONMENTS).split()
    words = list(rest)
    while words and words[0].startswith("-") and words[0] != "--":
        option = words.pop(0)
        key, equals, value = option.partition("=")
        short = next((one for one in valued if len(one) == 2 and option.startswith(one) and len(option) > 2), None)
        if key in valued and not equals:
            value = words.pop(0) if words else ""
        elif short is not None and not option.startswith("--"):
            key, value = short, option[2:]
        if key in ("-S", "--split-string") and name == "env":
            words = [*_split(value), *words]
        elif key in ("-C", "--chdir", "-D", "--wd", "--working-directory") and not value.startswith("/"):
            return f"`{name} {key}` names a folder that is not absolute"
    if words and words[0] == "--":
        del words[0]
    if name in _OWN_WORD:
        del words[:1]
    return fault(words, depth=depth + 1)


def _of_launcher(name: str, rest: Sequence[str], depth: int) -> str:
    """Why the command within it would be refused, at whichever word it begins, or if one word holds all of it."""
    for at, word in enumerate(rest):
        known = word.rpartition("/")[2]
        if at and rest[at - 1] in _STARTS and word.startswith("{"):
            return f"`{name} {rest[at - 1]}` runs what it finds"
        begins = re.search(r"\s", word) or known in _RUNNERS | _WRAPPERS.keys() or _is_interpreter(known)
        if begins and (why := fault(rest[at:], depth=depth + 1)):
            return why
    return ""


def _is_interpreter(name: str) -> bool:
    return any(kind.fullmatch(name) for kind in (_PYTHON, _SHELL, _SCRIPTED, _FILED)) or name == "java"


def _of_filed(name: str, rest: Sequence[str]) -> str:
    for word, after in zip(rest, [*rest[1:], ""], strict=True):
        found = _FILES.fullmatch(word)
        value = (
            (found[2] if found[2] is not None else after) if found else word[2:] if word[:2] in ("-f", "-i") else "/"
        )
        if value and not _is_fixed(value):
            return f"`{name} {word[:2]}` reads a file that is not at an absolute path"
    return ""


def _of_python(name: str, rest: Sequence[str]) -> str:
    safe = False
    words = iter(rest)
    for word in words:
        if not word.startswith("-") or word == "-":
            return "" if word == "-" or _is_fixed(word) else f"`{name}` runs `{word}`, which is not an absolute path"
        if word.startswith("--"):
            continue
        for at, letter in enumerate(word[1:], start=1):
            safe = safe or letter in "IP"
            if letter in "mc":
                what = word[at + 1 :] or next(words, "")
                if safe:
                    return ""
                how = f"-m {what}" if letter == "m" else "-c"
                return f"`{name} {how}` looks for modules in its folder; `{name} -I {how}` does not"
            if letter in "WXQ":
                if at == len(word) - 1:
                    next(words, "")
                break
    return ""


def _of_shell(rest: Sequence[str], depth: int) -> str:
    words = iter(rest)
    for word in words:
        if word in ("-o", "+o", "-O", "+O"):
            next(words, "")
        elif word in ("--rcfile", "--init-file"):
            if not _is_fixed(next(words, "")):
                return f"`{word}` names a file that is not at an absolute path"
        elif re.fullmatch(r"-\w*c\w*", word):
            return _of_script(next(words, ""), depth)
        elif not word.startswith(("-", "+")):
            return "" if _is_fixed(word) else f"a shell runs `{word}`, which is not an absolute path"
    return ""


def _of_script(text: str, depth: int) -> str:
    for command in _JOINS.split(text.replace("$(", ";").replace("`", ";")):
        words = [word for word in _split(command) if word not in _RESERVED]
        if words[:1] in (["."], ["source"]) and not _is_fixed(words[1] if len(words) > 1 else ""):
            return "a shell reads a script that is not at an absolute path"
        if words[:1] == ["cd"]:
            continue
        if why := fault(words, depth=depth + 1):
            return why
    return ""


_RESERVED = frozenset("if then else elif fi for do done while until case esac in { } ! exec eval time".split())


def _of_java(rest: Sequence[str]) -> str:
    found = False
    for word, after in zip(rest, [*rest[1:], ""], strict=True):
        key, equals, value = word.partition("=")
        if key in ("-cp", "-classpath", "--class-path", "-p", "--module-path", "-jar"):
            places = (value if equals else after).split(":")
            if not all(place.startswith("/") for place in places):
                return f"`java {key}` names a place that is not absolute"
            found = True
        if word.startswith("@") and not word.startswith("@/"):
            return "`java` reads options from a file that is not at an absolute path"
        if key.startswith(("-javaagent:", "-agentpath:")) and not key.partition(":")[2].startswith("/"):
            return "`java` loads an agent that is not at an absolute path"
    return "" if found else "`java` looks for classes in its folder"


def _of_interpreter(name: str, rest: Sequence[str]) -> str:
    keep_out = _TAKES_FROM_FOLDER.get(name, ())
    if keep_out and not any(word in keep_out for word in rest):
        return f"`{name}` takes settings or modules from its folder; `{name} {keep_out[0]}` does not"
    words = iter(rest)
    for word in words:
        key, equals, value = word.partition("=")
        inline = key in _INLINE and (name not in _NO_SUBCOMMANDS or key.startswith("-"))
        if inline and name not in _NO_SUBCOMMANDS:
            return f"`{name} {key}` looks for modules in its folder"
        if inline:
            code = value if equals else next(words, "")
            return f"`{name} {key}` loads a file that is not at an absolute path" if _LOADING.search(code) else ""
        if name.startswith("lua") and word.startswith("-l"):
            return "`lua -l` looks for modules in its folder"
        if key in _LOADED:
            if not _is_fixed(value if equals else next(words, "")):
                return f"`{name} {key}` loads a file that is not at an absolute path"
        elif attached := _attached(word):
            if not _is_fixed(attached):
                return f"`{name} {word}` loads a file that is not at an absolute path"
        elif not word.startswith("-"):
            return "" if _is_fixed(word) else f"`{name}` runs `{word}`, which is not an absolute path"
    return ""


def _attached(word: str) -> str:
    """What an option loads if that is in the same word; else empty."""
    found = _LIB.match(word)
    if found:
        return found[1] if not re.search(r",\s*[^/]", found[1]) else "."
    found = _ATTACHED.match(word)
    return found[1] if found else ""


def _is_fixed(word: str) -> bool:
    """Whether a word of the command names the same file wherever it is started."""
    return word.startswith("/") or _PLACEHOLDER.fullmatch(word) is not None


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
