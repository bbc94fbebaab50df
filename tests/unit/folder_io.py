"""A StageIO over a folder: what `run.py` gives a stage, without manifests and progress."""

import shutil
from pathlib import Path

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from basketlens import schemas
from basketlens.stage_io import Written
from basketlens.tables import CONTRACTS, EARLIER


class FolderIO:
    """Reads what was staged, else what was published; `publish` ends a run."""

    run_id = "test"
    cores = 2

    def __init__(self, spark: SparkSession, root: Path) -> None:
        self.spark, self.root, self.figures, self.written = spark, root, {}, []
        self._staged: set[str] = set()

    def read(self, name: str) -> DataFrame:
        return self.spark.read.parquet(
            str(self.root / ("staging" if name in self._staged else "published") / name)
        )

    def earlier(self, name: str, location: str, *, setting: str) -> DataFrame | None:
        assert not location
        published = self.root / "published" / name
        if not published.exists():
            return None
        return schemas.conform(self.spark.read.parquet(str(published)), EARLIER[name], table=name)

    def has(self, name: str) -> bool:
        return (self.root / "published" / name / "_SUCCESS").exists()

    def write(self, name: str, df: DataFrame, *, doing: str, measures=None) -> Written:
        assert doing
        df = schemas.conform(df, CONTRACTS[name], table=name) if name in CONTRACTS else df
        seen = Observation(name)
        aggregates = [F.count("*").alias("rows"), *(v.alias(k) for k, v in (measures or {}).items())]
        df.observe(seen, *aggregates).write.mode("overwrite").parquet(str(self.root / "staging" / name))
        self._staged.add(name)
        self.written.append(name)
        values = dict(seen.get)
        return Written(int(values.pop("rows")), values)

    def slots(self) -> int:
        return self.cores

    def folder(self, name: str, schema) -> str:
        self._staged.add(name)
        return str(self.root / "staging" / name)

    def write_parts(self, name: str, parts, *, doing: str) -> DataFrame:
        for number, part in enumerate(parts):
            self.write(f"{name}/{number}", part(), doing=doing)
        paths = [str(self.root / "staging" / name / str(number)) for number in range(len(parts))]
        return self.spark.read.parquet(*paths)

    def to_driver(self, df: DataFrame, *, limit: int, what: str, doing: str):
        frame = df.toPandas()
        assert len(frame) <= limit
        return frame

    def log(self, name: str, rows) -> None:
        contract = CONTRACTS[name]
        values = [tuple(row[column] for column in contract.names) for row in rows]
        self.spark.createDataFrame(values, contract).write.mode("append").parquet(
            str(self.root / "published" / name)
        )

    def write_folder(self, name: str, folder: Path) -> None:
        shutil.copytree(folder, self.root / "staging" / name)

    def note(self, **figures) -> None:
        self.figures.update(figures)

    def given(self, name: str, df: DataFrame) -> None:
        """A table that an earlier stage published."""
        df.write.mode("overwrite").parquet(str(self.root / "published" / name))

    def publish(self) -> None:
        for name in self._staged & set(CONTRACTS):
            target = self.root / "published" / name
            if target.exists():
                target.rename(self.root / f"{name}-{len(list(self.root.iterdir()))}")
            target.parent.mkdir(exist_ok=True)
            (self.root / "staging" / name).rename(target)
        self._staged.clear()
        self.written.clear()
        self.figures.clear()
