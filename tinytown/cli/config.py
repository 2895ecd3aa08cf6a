"""``tt config``: the settings, one of them, or a new value for one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from tinytown.cli.render import safe
from tinytown.errors import NotATownError, StateError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from tinytown.commands import Caller


def _complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:  # noqa: ARG001
    from click.shell_completion import CompletionItem

    from tinytown.settings import known

    return [CompletionItem(name) for name in known.names() if name.startswith(begun)]


@click.command(
    epilog="""\b
    Examples:
      tt config                                     what is set, and where
      tt config default_cli                         the value alone
      tt config default_cli codex
      tt config policy.max_attempts 5
      tt config forge.local.checks '["make test"]'
      tt config agent_clis.scribe "scribe --file {prompt_file}"
      tt config --global default_cli codex          for all your towns
    """
)
@click.argument("key", metavar="[KEY]", required=False, shell_complete=_complete)
@click.argument("value", metavar="[VALUE]", required=False)
@click.option("--global", "everywhere", is_flag=True, help="Your own settings for all towns, in ~/.tt/config.toml.")
@click.option("--all", "defaults", is_flag=True, help="List every setting, also those that nothing sets.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: an array of settings; with KEY one object.")
def config(key: str | None, value: str | None, everywhere: bool, defaults: bool, as_json: bool) -> None:
    """Show the settings, show one of them, or set one.

    VALUE is written into tinytown.toml as TOML has it (5, true, ["make test"]), or as a text; comments and all else in
    the file stay as they are. Lists leave out passwords and the values of variables; KEY shows whatever it holds.
    """
    if key is not None and defaults:
        raise click.UsageError("--all lists every setting; leave KEY out")
    caller = _caller(everywhere=everywhere)
    if key is None:
        _list(caller, everywhere=everywhere, defaults=defaults, as_json=as_json)
    elif value is None:
        _show(caller, key, everywhere=everywhere, as_json=as_json)
    else:
        _set(caller, key, value, everywhere=everywhere, as_json=as_json)


def _caller(*, everywhere: bool) -> Caller:
    from tinytown.commands import keeper
    from tinytown.town import open_to_stop

    if everywhere:
        return keeper()
    try:
        # A file with a mistake in it can be mended by this very command.
        return keeper(open_to_stop())
    except NotATownError as error:
        remedy = f"{error.remedy}; or give --global for your settings for all towns"
        raise StateError(error.message, remedy=remedy) from None


def _list(caller: Caller, *, everywhere: bool, defaults: bool, as_json: bool) -> None:
    from tinytown.cli import columns
    from tinytown.commands import config as commands

    found = commands.list_all(caller, commands.Which(defaults, everywhere))
    if as_json:
        click.echo(json.dumps(commands.list_all.shape(found)))
        return
    if not found:
        click.echo("Nothing is set; `tt config --all` lists every setting with its default.")
        return
    rows = [(safe(one.key), safe(_text(one.value)), safe(one.source)) for one in found]
    columns.show(("SETTING", "VALUE", "SET BY"), rows)


def _show(caller: Caller, key: str, *, everywhere: bool, as_json: bool) -> None:
    from tinytown.commands import config as commands

    found = commands.get(caller, commands.Key(key, everywhere))
    if as_json:
        click.echo(json.dumps(commands.get.shape(found)))
        return
    click.echo(found.value if isinstance(found.value, str) else _text(found.value))


def _set(caller: Caller, key: str, value: str, *, everywhere: bool, as_json: bool) -> None:
    from tinytown.commands import config as commands

    done = commands.put(caller, commands.Value(key, everywhere, value))
    if as_json:
        click.echo(json.dumps(commands.put.shape(done), default=str))
    else:
        again = "already " if done.was == done.value and type(done.was) is type(done.value) else ""
        click.echo(f"{safe(done.key)} is {again}{safe(_text(done.value))} in {safe(str(done.file))}")
    for remark in done.remarks:
        click.echo(f"note: {safe(remark)}", err=True)


def _text(value: Any) -> str:
    """A value as the file would have it; nothing for none."""
    from tinytown import toml_text

    return "" if value is None else toml_text.value_text(value)
