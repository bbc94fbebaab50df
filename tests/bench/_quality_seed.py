"""One seed of `bench quality`, in a process of its own; not in its main module, where other processes find no function."""

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
from scipy import sparse

from basketlens.evaluate.evaluation import evaluate
from basketlens.evaluate.rows import Row
from basketlens.evaluate.split import Cuts
from basketlens.settings import Settings
from basketlens.shopping import Baskets, Items


def of_seed(root: str, seed: int, days: tuple[int, int], settings: Settings) -> list[Row]:
    """The table of one seed, in a process of its own."""
    import torch

    from basketlens.finetune.options import training_options
    from basketlens.finetune.training import fit_by

    torch.set_num_threads(1)
    items, baskets = shop_of(root)
    cuts = Cuts.before_end(baskets.days, validation_days=days[0], test_days=days[1])
    options = training_options(
        settings.finetune, settings.embed, settings.clean.abbreviations, ease_items=settings.ease.max_items
    )
    return evaluate(items, baskets, cuts, fit_by(options, "cpu", items), options.evaluate, seed)


def shop_of(root: str) -> tuple[Items, Baskets]:
    """Merchandise that was sold, by distinct name, and the baskets it was sold in."""

    def table(name: str, *columns: str) -> pd.DataFrame:
        found = ds.dataset(
            f"{root}/{name}", format="parquet", partitioning="hive", exclude_invalid_files=True
        )
        return found.to_table(columns=list(columns)).to_pandas()

    products = table("products", "product_id", "name_hash", "product_name", "is_merchandise").query(
        "is_merchandise"
    )
    embeddings = table("embeddings", "name_hash", "embedding").dropna().set_index("name_hash")["embedding"]
    lines = table("lines", "basket_id", "product_id", "customer_key", "sold_at").merge(
        products, on="product_id"
    )
    lines = lines[lines["name_hash"].isin(embeddings.index)]
    ids = np.array(sorted(lines["name_hash"].unique()), dtype=object)
    sold = lines["sold_at"].dt.tz_localize(None)
    lines["day"] = sold.to_numpy().astype("datetime64[D]").astype(np.int32)  # since 1970-01-01
    baskets = lines.groupby("basket_id").agg(day=("day", "min"), customer=("customer_key", "first"))
    baskets = baskets.reset_index().sort_values(["day", "basket_id"], ignore_index=True)
    row = pd.Series(baskets.index, index=baskets["basket_id"])[lines["basket_id"]].to_numpy()
    column = np.searchsorted(ids, lines["name_hash"].to_numpy())
    held = sparse.csr_array((np.ones(len(lines), np.float32), (row, column)), shape=(len(baskets), len(ids)))
    held.data[:] = 1  # a basket may have several products of one name
    customers = pd.factorize(baskets["customer"], sort=True)[0]
    vectors = np.stack(embeddings[ids].to_list()).astype(np.float32)
    names = products.drop_duplicates("name_hash").set_index("name_hash")["product_name"][ids].to_numpy(object)
    return Items(ids, vectors, names), Baskets(held, customers.astype(np.int64), baskets["day"].to_numpy())
