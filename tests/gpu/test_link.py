"""`link` on a GPU: the same links as on the processor."""

import pytest
import torch

from tests.unit.link.test_streaming import PLAIN, attended, vectors

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU here")


@pytest.mark.parametrize("is_half", [False, True])
@pytest.mark.parametrize("top", [1, 50, 3000])
@pytest.mark.parametrize("key_shard", [20_000, 3_000])
def test_the_gpu_gives_the_links_of_the_processor(top, key_shard, is_half):
    keys = vectors(8_000)
    task = PLAIN._replace(top=top, key_shard=key_shard, is_half=is_half, context_width=8)
    here = attended(keys[:300], keys, PLAIN._replace(top=top, context_width=8))
    there = attended(keys[:300], keys, task, device="cuda:0")
    assert there.keys() == here.keys()
    for item, row in there.items():
        wanted, off = here[item], row["score_error"] + 1e-5
        assert row["neighbor_ids"] == wanted["neighbor_ids"]
        assert row["scores"] == pytest.approx(wanted["scores"], rel=1e-6)
        assert row["log_sum_exp"] == pytest.approx(wanted["log_sum_exp"], abs=off)
        assert row["context"] == pytest.approx(wanted["context"], abs=10 * off)
        assert row["device"] == "cuda:0"
