"""`serve`: what tills and web shops read."""

from collections.abc import Mapping

from basketlens.serve.cross_sell import cross_sell
from basketlens.serve.recommendations import write_recommendations
from basketlens.settings import Settings
from basketlens.stage_io import StageIO


def run(io: StageIO, settings: Settings) -> None:
    """Write `cross_sell`, and `recommendations` unless `serve.recommendations` is 0."""
    companions = cross_sell(io.read("associations"), companions=settings.serve.companions)
    io.write("cross_sell", companions, doing="choosing companions")
    if settings.serve.recommendations:
        write_recommendations(io, settings)


def extra(settings: Settings) -> Mapping[str, str]:
    """The setting of another stage that the tables depend on."""
    return {"level": settings.report.level}
