"""``guard config``: what is in force, and what there is to say."""

import click
import msgspec
import yaml

from guard.commands import Session
from guard.config import Config


@click.command()
@click.option("--schema", is_flag=True, help="The JSON Schema instead: every key, its type, default and meaning.")
@click.pass_obj
def command(session: Session, schema: bool) -> None:
    """Show the effective configuration as YAML."""
    if schema:
        raw = msgspec.json.encode(msgspec.json.schema(Config))
        click.echo(msgspec.json.format(raw, indent=2).decode())
        return
    config = msgspec.to_builtins(session.config)
    click.echo(f"# from {session.source or 'the defaults: no file'}")
    click.echo(yaml.safe_dump(config, sort_keys=False), nl=False)
