"""Fields that every room's tables share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from apps.core import clock, ids

if TYPE_CHECKING:
    TextField = models.CharField[str, str]
else:  # the class takes no parameters at run time
    TextField = models.CharField

ID_LENGTH_MAX = 40


class PrefixedIdField(TextField):
    """A primary key such as `mkt_01k9…`: prefixed, sortable by time of making, filled in by itself."""

    def __init__(self, prefix: str = "", **options: Any) -> None:
        self.prefix = prefix
        options.setdefault("primary_key", True)
        options.setdefault("max_length", ID_LENGTH_MAX)
        options.setdefault("editable", False)
        options["default"] = self.make
        super().__init__(**options)

    def make(self) -> str:
        """Make a new identity for a row born now."""
        return ids.make_id(self.prefix, at=clock.now(), entropy=ids.fresh_entropy())

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """Tell migrations the prefix and leave out what follows from it."""
        name, path, args, options = super().deconstruct()
        for followed in ("default", "primary_key", "max_length", "editable"):
            options.pop(followed, None)
        options["prefix"] = self.prefix
        return name, path, args, options


def price_field(**options: Any) -> models.DecimalField[Any, Any]:
    """A price or probability: up to ten decimals, so that vendors' ticks are kept exactly."""
    return models.DecimalField(max_digits=24, decimal_places=10, **options)


def units_field(**options: Any) -> models.DecimalField[Any, Any]:
    """A number of units (shares, contracts): six decimals."""
    return models.DecimalField(max_digits=24, decimal_places=6, **options)


def minor_field(**options: Any) -> models.BigIntegerField[Any, Any]:
    """An amount of money in minor units of the row's currency."""
    return models.BigIntegerField(**options)


class Claimable(models.Model):
    """The columns of a row of record that workers claim one at a time; see `apps.core.claims`."""

    attempts = models.IntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    lease_owner = models.CharField(max_length=60, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fencing_token = models.BigIntegerField(default=0)

    class Meta:
        abstract = True


class Section(models.Model):
    """Who is inside a section of one process at a time, and until when; see `apps.core.sections`."""

    name = models.CharField(max_length=200, primary_key=True)
    holder = models.CharField(max_length=60)
    until = models.DateTimeField()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
