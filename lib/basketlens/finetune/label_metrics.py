"""How good predicted labels are."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c


def label_metrics(predictions: DataFrame) -> DataFrame:
    """(metric, value): accuracy, macro_recall and macro_f1, 0..1; no value where there are no predictions.

    The macro figures are means over the labels that are truly there: one that is only predicted lowers the precision
    of others' rows, not the number of labels.

    Args:
        predictions: given and predicted, neither null.
    """
    right = (F.col(c.GIVEN) == F.col(c.PREDICTED)).cast("double")
    given = predictions.groupBy(F.col(c.GIVEN).alias("label")).agg(
        F.count("*").alias("rows"), F.sum(right).alias("right")
    )
    guessed = predictions.groupBy(F.col(c.PREDICTED).alias("label")).agg(F.count("*").alias("guesses"))
    labels = given.join(guessed, "label", "left").fillna(0, ["guesses"])
    figures = labels.agg(
        (F.sum("right") / F.sum("rows")).alias("accuracy"),
        F.avg(F.col("right") / F.col("rows")).alias("macro_recall"),
        F.avg(2 * F.col("right") / (F.col("rows") + F.col("guesses"))).alias("macro_f1"),
    )
    pairs = F.array(*(F.struct(F.lit(n).alias(c.METRIC), F.col(n).alias(c.VALUE)) for n in figures.columns))
    return figures.select(F.inline(pairs))
