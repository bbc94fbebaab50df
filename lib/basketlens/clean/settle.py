"""Rows that meet others: repeats are dropped, returns netted on their receipt, then against their customer's purchases.

Most rows of a log are alone with their product on their receipt and touch none of this: they go from the scan to the
lines in one piece.  What meets others is set aside in scratch tables, each small beside the log.
"""

from typing import NamedTuple

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from basketlens import columns as c
from basketlens.clean.places import KIND, MET, PLACE, RETURN, SALE, SHARED, is_return, receipt
from basketlens.clean.repeats import with_repeated_line_ids, with_repeated_rows
from basketlens.clean.returns import LEFT, units, with_netted, with_return_reasons
from basketlens.stage_io import StageIO

_BUYER = [c.CUSTOMER_KEY, c.PRODUCT_ID]


class Settled(NamedTuple):
    """Every good row of `receipts`, in one of two heaps."""

    singles: DataFrame  # sales that met nothing: lines as they are
    others: DataFrame  # all else, with `left` and the reasons that other rows gave them


def settle(io: StageIO, *, shared: int, returns: int, has_line_ids: bool, everywhere: bool) -> Settled:
    """Decide about the rows of the scratch table `receipts`.

    Args:
        io: of the stage.
        shared: rows that share a place.
        returns: rows that take goods back.
        has_line_ids: whether the log numbers its lines.
        everywhere: equal rows of one file are repeats too.
    """
    receipts = io.read("receipts")
    crowd = _of_kind(receipts, SHARED)
    if shared:
        resolved = _resolved(
            crowd, has_returns=bool(returns), has_line_ids=has_line_ids, everywhere=everywhere
        )
        io.write("shared", resolved, doing="finding repeats and returns")
        crowd = io.read("shared")
    singles, lone_returns = _of_kind(receipts, SALE), _of_kind(receipts, RETURN)
    if not returns:
        return Settled(singles.drop(LEFT), crowd)
    is_open = F.col(c.REASONS).isNull() & (F.col(LEFT) > 0)
    rest = crowd.unionByName(lone_returns)
    wanted = rest.filter(is_open & is_return() & F.col(c.CUSTOMER_KEY).isNotNull()).select(*_BUYER).distinct()
    buyers = io.write("buyers", wanted, doing="listing who returned what")
    if buyers.rows:
        touched = singles.unionByName(rest.filter(is_open)).join(io.read("buyers"), _BUYER, "left_semi")
        netted = touched.repartition(*_BUYER).transform(with_netted, F.col(c.CUSTOMER_KEY), by_time=True)
        io.write("netted", netted, doing="netting returns against earlier purchases")
        known = io.read("buyers").withColumn("is_netted", F.lit(True))
        singles = singles.join(known, _BUYER, "left_anti")
        untouched = (
            rest.join(known, _BUYER, "left").filter(~is_open | F.col("is_netted").isNull()).drop("is_netted")
        )
        rest = untouched.unionByName(io.read("netted"))
    return Settled(singles.drop(LEFT), rest.transform(with_return_reasons))


def _of_kind(receipts: DataFrame, kind: str) -> DataFrame:
    return receipts.filter(F.col(KIND) == kind).drop(KIND).withColumn(LEFT, units())


def _resolved(crowd: DataFrame, *, has_returns: bool, has_line_ids: bool, everywhere: bool) -> DataFrame:
    # Every window below has this among its keys, so that rows move once and not once for each window.
    crowd = crowd.withColumn(MET, F.xxhash64(receipt()) if has_line_ids else F.col(PLACE)).repartition(MET)
    if has_line_ids:
        crowd = crowd.transform(with_repeated_line_ids)
    crowd = crowd.transform(with_repeated_rows, everywhere=everywhere)
    if has_returns:
        crowd = crowd.transform(with_netted, F.col(MET), F.col(PLACE), receipt(), by_time=False)
    return crowd.drop(MET)
