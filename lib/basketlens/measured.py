"""What the table `evaluation` says of methods, read by the stages that use it."""

from typing import Final

from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.evaluate.rows import Row
from basketlens.stage_io import StageIO

_FIGURES: Final = 100_000  # some hundreds a seed


def read_figures(io: StageIO) -> list[Row]:
    """The figures of baskets and pairs, for `winners`; none where there are only labels."""
    of_methods = io.read("evaluation").filter(F.col(c.TASK).rlike("^(baskets|pairs)"))
    frame = io.to_driver(of_methods, limit=_FIGURES, what="figures", doing="reading which method won")
    return [Row(*row) for row in frame.itertuples(index=False, name=None)]
