"""Layers of settings: files, environment variables and `--set`, and errors that name the layer."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, SecretStr, ValidationError

from basketlens.errors import SettingsError
from basketlens.settings import Settings

VARIABLE_PREFIX: Final = "BASKETLENS__"
SECRET_WORDS: Final = ("secret", "password", "token", "credential")
Path_ = tuple[str, ...]


class Layer(NamedTuple):
    """Values from one place; `origin` is what the user is told when a value is wrong."""

    values: dict[str, Any]
    origin: str


def conf_dir() -> Traversable:
    """The conf folder: `BASKETLENS_CONF`, else the one inside the installed package, else the checkout's."""
    if chosen := os.environ.get("BASKETLENS_CONF"):
        return Path(chosen)
    packaged = resources.files("basketlens") / "conf"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[2] / "conf"


def load_settings(env: str, assignments: Iterable[str], environ: Mapping[str, str]) -> Settings:
    """Settings of environment `env` (conf/<env>.toml over conf/base.toml), variables and `--set` on top.

    Raises:
        SettingsError: a file, key, type or range is wrong; the message names every fault with its place.
    """
    layers = [_file_layer("base"), *([_file_layer(env)] if env != "base" else [])]
    layers += [*_variable_layers(environ), *(_set_layer(text) for text in assignments)]
    merged: dict[str, Any] = {}
    origins: dict[Path_, str] = {}
    for layer in layers:
        _refuse_secret(layer)
        _merge(merged, layer.values)
        origins.update((path, layer.origin) for path, _ in _leaves(layer.values))
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(_explain(error, origins)) from None


def masked(settings: Settings) -> dict[str, Any]:
    """Settings as plain values, with whatever may be secret replaced by `****`."""

    def hide(value: Any, key: str = "") -> Any:
        if isinstance(value, BaseModel):
            return {name: hide(getattr(value, name), name) for name in type(value).model_fields}
        if isinstance(value, Mapping):
            return {name: hide(inner, name) for name, inner in value.items()}
        if isinstance(value, SecretStr):
            return "****" if value.get_secret_value() else ""
        if not isinstance(value, str):
            return value
        return "****" if any(word in key.lower() for word in SECRET_WORDS) else _without_password(value)

    return dict(hide(settings))


def _without_password(text: str) -> str:
    """`scheme://user:password@host` with the password masked."""
    scheme, mark, rest = text.partition("://")
    user, at, host = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    return f"{scheme}{mark}{name}:****{at}{host}" if mark and at and colon else text


def _file_layer(name: str) -> Layer:
    source = conf_dir() / f"{name}.toml"
    if not source.is_file():
        known = sorted(
            f.name[:-5] for f in conf_dir().iterdir() if f.name.endswith(".toml") and f.name != "base.toml"
        )
        raise SettingsError(
            f"There is no environment '{name}': no file {source}.\n  Known: {', '.join(known)}"
        )
    try:
        return Layer(tomllib.loads(source.read_text(encoding="utf-8")), f"conf/{name}.toml")
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"conf/{name}.toml is not valid TOML: {error}\n  File: {source}") from None


def _variable_layers(environ: Mapping[str, str]) -> Iterator[Layer]:
    for name in sorted(n for n in environ if n.startswith(VARIABLE_PREFIX)):
        path = tuple(part.lower() for part in name.removeprefix(VARIABLE_PREFIX).split("__"))
        # A secret is taken as it is: it may look like a TOML number.
        value = environ[name] if path == ("privacy", "key") else toml_value(environ[name])
        yield Layer(_nested(path, value), f"environment variable {name}")


def _set_layer(text: str) -> Layer:
    key, equals, value = text.partition("=")
    path = tuple(part.strip() for part in key.split("."))
    if not equals or not all(path):
        raise SettingsError(f"--set wants section.key=value, such as mine.min_count=47; found '{text}'")
    return Layer(_nested(path, toml_value(value)), f"--set {key.strip()}")


def toml_value(text: str) -> Any:
    """`text` as a TOML value; as the string itself where it is none, so that shells need no second quotes."""
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return document["value"] if set(document) == {"value"} else text


def _nested(path: Path_, value: Any) -> dict[str, Any]:
    for part in reversed(path):
        value = {part: value}
    return dict(value)


def _merge(into: dict[str, Any], values: Mapping[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, dict) else value


def _leaves(values: Any, at: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    yield at, values
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _leaves(value, (*at, key))


def _refuse_secret(layer: Layer) -> None:
    """A secret on a command line is in the process list; in a file it is in version control."""
    privacy = layer.values.get("privacy")
    if isinstance(privacy, dict) and privacy.get("key") and not layer.origin.startswith("environment"):
        raise SettingsError(
            f"privacy.key is a secret and may not come from {layer.origin}.\n"
            f"  Allowed: the environment variable {VARIABLE_PREFIX}PRIVACY__KEY, or a file named by privacy.key_file"
        )


def _explain(error: ValidationError, origins: Mapping[Path_, str]) -> str:
    lines = []
    for fault in error.errors(include_url=False):
        path = tuple(str(part) for part in fault["loc"])
        where = next(
            (origins[path[:i]] for i in range(len(path), 0, -1) if path[:i] in origins),
            "the settings together",
        )
        name = ".".join(path) or "these settings"
        if fault["type"] == "extra_forbidden":
            lines += [
                f"Setting '{name}' does not exist.",
                f"  Where:   {where}",
                f"  Allowed: {_neighbours(path)}",
            ]
            continue
        allowed = str(fault["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
        found = "nothing" if fault["type"] == "missing" else _shown(fault["input"], path)
        lines += [
            f"Setting '{name}' is wrong.",
            f"  Where:   {where}",
            f"  Found:   {found}",
            f"  Allowed: {allowed}",
        ]
        if isinstance(fault["input"], str) and fault["input"].startswith("["):
            lines.append('  Hint:    in TOML the strings of a list want quotes: \'["name", "category"]\'')
    return "\n".join(lines)


def _shown(value: Any, path: Path_) -> str:
    if isinstance(value, dict | BaseModel):
        return "see Allowed"
    if path[:2] == ("privacy", "key"):
        return "a secret, not shown"
    return f"{value!r} ({type(value).__name__})"


def _neighbours(path: Path_) -> str:
    """Keys that exist beside the wrong one, the most similar first."""
    model: Any = Settings
    for part in path[:-1]:
        model = model.model_fields[part].annotation
    known = sorted(model.model_fields)
    close = difflib.get_close_matches(path[-1], known, n=1)
    listed = ", ".join(known)
    return f"{close[0]} is the nearest; all of them: {listed}" if close else listed
