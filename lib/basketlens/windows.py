"""The days that a run is about: `clean.since` up to, and without, `clean.until`."""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column
from pyspark.sql import functions as F

from basketlens.settings_clean import CleanSettings


@dataclass(frozen=True)
class DayWindow:
    """Business days, in `input.time_zone`; an end that is None is open.

    A row whose day is unknown is inside every window: no other run would look at it.
    """

    since: date | None  # first day inside
    until: date | None  # first day after it

    @classmethod
    def of(cls, clean: CleanSettings) -> "DayWindow":
        """The window that the settings name."""
        since, until = (date.fromisoformat(day) if day else None for day in (clean.since, clean.until))
        return cls(since, until)

    @property
    def is_whole(self) -> bool:
        """Whether every day is inside."""
        return self.since is None and self.until is None

    @property
    def days(self) -> int | None:
        """Days inside; None when an end is open."""
        return None if self.since is None or self.until is None else (self.until - self.since).days

    def contains(self, day: date | None) -> bool:
        """Whether a day is inside; an unknown day is."""
        if day is None:
            return True
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)

    def condition(self, day: Column) -> Column:
        """`contains` as a Spark condition on a column of dates; true or false, never null."""
        inside = F.lit(True)
        if self.since is not None:
            inside = inside & (day >= F.lit(self.since))
        if self.until is not None:
            inside = inside & (day < F.lit(self.until))
        return F.coalesce(inside, F.lit(True))

    def __str__(self) -> str:
        if self.is_whole:
            return "all days"
        return f"days from {self.since or 'the first'} until {self.until or 'the last'}"
