"""Reading the settings: defaults, then the TOML file, then the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bmnode.config.settings import ENVIRONMENT_PREFIX, Settings, nearest
from bmnode.errors import ConfigError

CONFIG_VARIABLE = "BMNODE_CONFIG"
FILE_NAME = "bmnode.toml"
SYSTEM_FILE = Path("/etc/bmnode") / FILE_NAME


def find_config_file(explicit: Path | None = None) -> Path | None:
    """The file to read: the one given, `BMNODE_CONFIG`, `./bmnode.toml`, `/etc/bmnode/bmnode.toml`; None where none is.

    Raises ConfigError where a file that was named is not there.
    """
    named = explicit or (Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            raise ConfigError(f"there is no configuration file {named}; `bmnode config init {named}` writes one")
        return named.absolute()
    for candidate in (Path(FILE_NAME), SYSTEM_FILE):
        if candidate.is_file():
            return candidate.absolute()
    return None


def load_settings(file: Path | None = None) -> Settings:
    """The settings of a file (None: of the defaults) under the environment.

    Args:
        file: TOML file, usually from `find_config_file`.

    Raises ConfigError naming the file or variable, the key, and the nearest known name.
    """
    return parse_settings("" if file is None else _text(file), file=file)


def parse_settings(text: str, *, file: Path | None) -> Settings:
    """As `load_settings`, from text; `file` names it in messages and anchors relative paths."""
    origin = "the configuration" if file is None else str(file)
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin} is not TOML: {error}") from error
    _refuse_unknown_sections(content, origin)
    _refuse_unknown_variables()
    try:
        settings = Settings(**content)
    except ValidationError as error:
        problems = [_explain(item, origin=origin, content=content) for item in error.errors(include_url=False)]
        raise ConfigError("\n".join(dict.fromkeys(problems))) from error
    return _anchored(settings, file)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error


def _refuse_unknown_sections(content: Mapping[str, object], origin: str) -> None:
    for key in content:
        if key not in Settings.model_fields:
            raise ConfigError(f"{origin}: unknown section {key!r}{nearest(key, Settings.model_fields)}")


def _refuse_unknown_variables() -> None:
    """pydantic-settings passes over variables whose section it does not know; a typing error must not be silent."""
    for variable in os.environ:
        if variable.upper().startswith(ENVIRONMENT_PREFIX):
            section = variable[len(ENVIRONMENT_PREFIX) :].lower().split("__")[0]
            if section not in Settings.model_fields:
                hint = nearest(section, Settings.model_fields)
                raise ConfigError(f"environment variable {variable}: unknown section {section!r}{hint}")


def _explain(error: ErrorDetails, *, origin: str, content: Mapping[str, object]) -> str:
    location = error["loc"]
    source = _source(location, origin=origin, content=content)
    key = ".".join(str(part) for part in location)
    if error["type"] == "extra_forbidden":
        return f"{source}: unknown key {key!r}{nearest(str(location[-1]), _known_keys(location[:-1]))}"
    reason = error["msg"].removeprefix("Value error, ")
    return f"{source}: {key}: {reason}" if key else f"{source}: {reason}"


def _source(location: tuple[int | str, ...], *, origin: str, content: Mapping[str, object]) -> str:
    """The variable, where the environment has this key: it stands above the file."""
    for length in range(len(location), 0, -1):
        variable = ENVIRONMENT_PREFIX + "__".join(str(part) for part in location[:length]).upper()
        if variable in {name.upper() for name in os.environ}:
            return f"environment variable {variable}"
        if _holds(content, location[:length]):
            break
    return origin


def _holds(content: Any, location: tuple[int | str, ...]) -> bool:
    try:
        for part in location:
            content = content[part]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _known_keys(location: tuple[int | str, ...]) -> Iterator[str]:
    """The field names of the table at a place in the tree."""
    here: Any = Settings
    for part in location:
        if isinstance(here, type) and issubclass(here, BaseModel) and part in here.model_fields:
            annotation = here.model_fields[str(part)].annotation
            models = [item for item in (annotation, *get_args(annotation)) if _is_model(item)]
            here = models[0] if models else None
    if here is not None:
        yield from here.model_fields


def _is_model(item: object) -> bool:
    return isinstance(item, type) and issubclass(item, BaseModel)


def _anchored(settings: Settings, file: Path | None) -> Settings:
    """Every relative path made absolute: commands started in different folders must mean the same files."""
    folder = Path.cwd() if file is None else file.absolute().parent
    node = settings.node.model_copy(update={"data_dir": folder / settings.node.data_dir.expanduser()})
    update: dict[str, object] = {"node": node}
    if settings.spool.directory is not None:
        directory = folder / settings.spool.directory.expanduser()
        update["spool"] = settings.spool.model_copy(update={"directory": directory})
    tls = {key: getattr(settings.tls, key) for key in ("certificate", "key", "authorities")}
    given = {key: folder / file.expanduser() for key, file in tls.items() if file is not None}
    if given:
        update["tls"] = settings.tls.model_copy(update=given)
    if settings.audit.file is not None:
        update["audit"] = settings.audit.model_copy(update={"file": folder / settings.audit.file.expanduser()})
    if settings.log.file is not None:
        update["log"] = settings.log.model_copy(update={"file": folder / settings.log.file.expanduser()})
    anchored = settings.model_copy(update=update)
    anchored._file = file
    return anchored
