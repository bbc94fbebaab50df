"""`serve`: what tills and web shops read."""

from basketlens.serve.cross_sell import cross_sell
from basketlens.settings import Settings
from basketlens.stage_io import StageIO


def run(io: StageIO, settings: Settings) -> None:
    """Write `cross_sell`."""
    companions = cross_sell(io.read("associations"), companions=settings.serve.companions)
    io.write("cross_sell", companions, doing="choosing companions")
