"""Reading the environment: typed, `NAME_FILE` for secrets, one plain line when a value is wrong.

Every variable that the desk reads is declared through `Environment`, which remembers name, default and meaning; the
table in docs/settings.md is held against it by a test.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


class WrongSetting(ValueError):
    """A variable holds something that cannot be used; the message names it in one line."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One variable that the desk reads."""

    name: str
    default: str
    meaning: str


@dataclass(slots=True)
class Environment:
    """The variables of this process and the list of those that were asked for."""

    values: Mapping[str, str]
    declared: dict[str, Declared] = field(default_factory=dict)

    def text(self, name: str, default: str, meaning: str) -> str:
        """Return the variable (or the content of the file named by `NAME_FILE`), or the default."""
        self.declared[name] = Declared(name, default, meaning)
        file_name = self.values.get(f"{name}_FILE")
        if file_name:
            return self._from_file(name, file_name)
        return self.values.get(name) or default

    def whole(self, name: str, default: int, meaning: str, *, at_least: int = 0) -> int:
        """Return the variable as a whole number of at least `at_least`."""
        number = self._parsed(name, str(default), meaning, int, "a whole number")
        if number < at_least:
            raise WrongSetting(f"{name} must be at least {at_least}, not {number}")
        return number

    def number(self, name: str, default: float, meaning: str, *, at_least: float = 0.0) -> float:
        """Return the variable as a finite number of at least `at_least`."""
        value = self._parsed(name, str(default), meaning, float, "a number")
        if not at_least <= value < float("inf"):
            raise WrongSetting(f"{name} must be a finite number of at least {at_least}, not {value}")
        return value

    def truth(self, name: str, *, default: bool, meaning: str) -> bool:
        """Return the variable as true or false; anything but the usual words is an error."""
        return self._parsed(name, "true" if default else "false", meaning, _truth, "true or false")

    def words(self, name: str, default: str, meaning: str) -> list[str]:
        """Return the variable as a list split at commas."""
        return [word.strip() for word in self.text(name, default, meaning).split(",") if word.strip()]

    def choice(self, name: str, default: str, meaning: str, *, of: tuple[str, ...]) -> str:
        """Return the variable, which must be one of `of`."""
        value = self.text(name, default, meaning)
        if value not in of:
            raise WrongSetting(f"{name} must be one of {', '.join(of)}, not {value!r}")
        return value

    def address(self, name: str, default: str, meaning: str, *, schemes: tuple[str, ...]) -> str:
        """Return the variable as an address of one of the schemes, with a host where the scheme has one, or empty text."""
        value = self.text(name, default, meaning)
        if value and not _is_address(value, schemes):
            raise WrongSetting(f"{name} must be an address such as {schemes[0]}://host, without a user name or spaces")
        return value

    def secret(self, name: str, meaning: str) -> str:
        """Return the variable as printable ASCII in one line, as a header can carry it; the message does not show it."""
        value = self.text(name, "", meaning)
        if not (value.isascii() and value.isprintable()):
            raise WrongSetting(f"{name} must be one line of printable ASCII characters")
        return value

    def _parsed(self, name: str, default: str, meaning: str, parse: Callable[[str], T], kind: str) -> T:
        text = self.text(name, default, meaning)
        try:
            return parse(text)
        except ValueError:
            raise WrongSetting(f"{name} must be {kind}, not {text!r}") from None

    def _from_file(self, name: str, file_name: str) -> str:
        try:
            return Path(file_name).read_text().strip()
        except OSError as error:
            raise WrongSetting(f"{name}_FILE cannot be read: {error.strerror or error}") from None


def _is_address(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        has_port = parts.port is not None or not parts.netloc.endswith(":")
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and " " not in text and "@" not in parts.netloc
    return is_plain and has_port and parts.scheme in schemes and bool(parts.path if parts.scheme == "file" else parts.hostname)


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ValueError(text)


def stop_with(error: WrongSetting) -> NoReturn:
    """End the process with one line and exit code 2."""
    sys.stderr.write(f"bellwether: {error}\n")
    raise SystemExit(2)


env = Environment(os.environ)
