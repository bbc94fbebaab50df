"""The clean stage on tables in memory, and its figures."""

from pyspark.sql import functions as F

from basketlens.formats import CORRUPT
from basketlens.stage_io import Written
from basketlens.tables import CONTRACTS
from tests.builders import table, text_rows


class MemoryIO:
    """Sources from literal rows, everything written is computed once and kept."""

    run_id, cores = "run-1", 2

    def __init__(self, spark, sources):
        self._spark, self._sources, self._tables, self.figures = spark, sources, {}, {}
        self.logs = {}  # log table -> its rows; `logs.update(earlier.logs)` is a later run's history

    def source(self, name, wanted):
        plain, rows = self._sources[name]
        files = text_rows(self._spark, {**plain, "file": "a.csv"}, *rows)
        columns = sorted(set(wanted.values()))
        return files.select(
            *columns, F.lit(None).cast("string").alias(CORRUPT), F.col("file").alias("source")
        )

    def rows_read(self, name):
        return len(self._sources[name][1])

    def read(self, name):
        if name in self.logs:
            return table(self._spark, CONTRACTS[name], *self.logs[name])
        return self._tables[name]

    def has(self, name):
        return name in self.logs

    def log(self, name, rows):
        assert all(set(row) == set(CONTRACTS[name].names) for row in rows)
        self.logs[name] = [*self.logs.get(name, ()), *rows]

    def write(self, name, df, *, doing, measures=None, by=""):
        kept = df.localCheckpoint()
        self._tables[name] = kept
        row = kept.agg(F.count("*").alias("rows"), *(v.alias(k) for k, v in (measures or {}).items())).first()
        values = row.asDict()
        return Written(values.pop("rows"), values)

    def to_driver(self, df, *, limit, what, doing):
        return df.limit(limit).toPandas()

    def note(self, **figures):
        self.figures.update(figures)
