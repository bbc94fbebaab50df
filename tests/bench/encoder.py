"""`./submit.sh bench encoder`: whether training through the encoder pays; one seed, the same queries for both sides.

Reads `lines`, `products` and `embeddings` of a finished run below the root.  Heads are trained on the vectors as they are
and on those of an encoder that was trained for so many minutes on the training weeks; choices fall on validation, figures
are of the test weeks, differences are paired.  With --folder a run that was stopped goes on where it was.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
asked.add_argument("--root", default="out/tables", help="folder of the tables")
asked.add_argument("--minutes", type=float, default=60, help="of processor time; a few steps are timed first")
asked.add_argument("--steps", type=int, default=0, help="in place of --minutes")
asked.add_argument("--seed", type=int, default=0)
asked.add_argument("--start", choices=["pretrained", "scratch"], default="pretrained")
asked.add_argument("--threads", type=int, default=2)
asked.add_argument(
    "--folder", default="", help="where the training keeps its state, and its weights at the end"
)
asked.add_argument(
    "--weights",
    default="",
    help="a state that --folder kept, FOLDER/encoder-SEED-...: compare its best weights, also where they did not beat the start; train nothing",
)
asked.add_argument("--validation-days", type=int, default=28)
asked.add_argument("--test-days", type=int, default=58)
asked.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="any other setting")
ARGS = asked.parse_args()
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = str(ARGS.threads)  # before numpy
os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # threads that spin for each other starve where cores are shared
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lib"))

import torch  # noqa: E402 - after the threads are set
from safetensors.torch import load_file  # noqa: E402

from basketlens.evaluate import models as m  # noqa: E402
from basketlens.evaluate.bootstrap import estimate  # noqa: E402
from basketlens.evaluate.known import Floats, Known, known_from  # noqa: E402
from basketlens.evaluate.measures import Sums, sums_of  # noqa: E402
from basketlens.evaluate.ranking import best_of_each, rank  # noqa: E402
from basketlens.evaluate.split import Cuts, Split, item_classes, split_by_days  # noqa: E402
from basketlens.evaluate.tasks import BASKETS, PAIRS, Task, basket_completion, partner_search  # noqa: E402
from basketlens.finetune.encoder_training import Tuned  # noqa: E402
from basketlens.finetune.encoding import NameEncoder  # noqa: E402
from basketlens.finetune.heads import projections  # noqa: E402
from basketlens.finetune.loop import Progress  # noqa: E402
from basketlens.finetune.options import training_options  # noqa: E402
from basketlens.finetune.pair_training import train_pairs  # noqa: E402
from basketlens.finetune.training import TrainingOptions, tuned_by  # noqa: E402
from basketlens.settings_files import load_settings  # noqa: E402
from basketlens.shopping import Baskets, Items  # noqa: E402
from tests.bench._quality_seed import shop_of  # noqa: E402

SHOWN = {
    BASKETS: [("hr@10", "all"), ("hr@50", "all")],
    PAIRS: [("recall@10", "all"), ("recall@50", "all"), ("cold_in@50", "cold")],
}
TIMED = 4  # steps


def main() -> int:
    torch.set_num_threads(ARGS.threads)
    items, baskets = shop_of(ARGS.root)
    cuts = Cuts.before_end(baskets.days, validation_days=ARGS.validation_days, test_days=ARGS.test_days)
    options = options_with()
    split = split_by_days(baskets, cuts, new_share=options.evaluate.new_share, seed=ARGS.seed)
    known = known_from(items, split)
    tuned = (
        best_of(Path(ARGS.weights), items, options)
        if ARGS.weights
        else tune(items, split.train, options).vectors
    )
    vectors = {"as they are": items.vectors, "tuned": tuned}
    fitted = {side: fit(of, known, options) for side, of in vectors.items()}
    for name in (BASKETS, PAIRS):
        on_test = {side: measured(of, known, split, name, options) for side, of in fitted.items()}
        for method in ("attention", "counts + attention"):
            show(name, method, *(on_test[side][method] for side in vectors))
    return 0


def options_with(steps: int | None = None) -> TrainingOptions:
    """The job's own, through the encoder; `steps` in place of those set."""
    changed = ["finetune.scope=encoder", f"finetune.encoder.start={ARGS.start}", *ARGS.set]
    changed += [f"finetune.encoder.steps={steps}"] if steps else []
    changed += [f"finetune.checkpoints={ARGS.folder}"] if ARGS.folder else []
    settings = load_settings("base", changed, {})
    return training_options(
        settings.finetune, settings.embed, settings.clean.abbreviations, ease_items=settings.ease.max_items
    )


def tune(items: Items, train: Baskets, options: TrainingOptions) -> Tuned:
    """The encoder trained on these baskets for as long as was asked."""
    encoder = NameEncoder.load(options.embed)
    options = options_with(ARGS.steps or remembered_steps(encoder, items, options))
    assert options.encoder
    print(f"encoder: {options.encoder.schedule}, {options.encoder.learning_rate=}", flush=True)
    began, last = time.monotonic(), [0.0]

    def tell(report: Progress) -> None:
        now = time.monotonic() - began
        if report.held_out is not None or now - last[0] >= 60:
            last[0] = now
            held_out = "" if report.held_out is None else f", held out {report.held_out:.4f}"
            print(f"{now:6.0f} s  step {report.step}  loss {report.loss:.4f}{held_out}", flush=True)

    tuned = tuned_by(options, encoder, items, train, seed=ARGS.seed, device="cpu", on_step=tell)
    print(f"encoder: {tuned.facts()}, {time.monotonic() - began:.0f} s in this process", flush=True)
    if ARGS.folder:
        encoder.model.save_pretrained(Path(ARGS.folder) / f"encoder-{ARGS.start}-{ARGS.seed}")
    return tuned


def best_of(folder: Path, items: Items, options: TrainingOptions) -> Floats:
    """Vectors by the encoder that had the lowest held-out loss of a training."""
    encoder, head = NameEncoder.load(options.embed), "best.encoder."
    [path] = folder.glob("*.safetensors")
    weights = load_file(path)
    encoder.load_state_dict(
        {name.removeprefix(head): w for name, w in weights.items() if name.startswith(head)}
    )
    return encoder.vectors(encoder.tokenized(list(items.names)))


def remembered_steps(encoder: NameEncoder, items: Items, options: TrainingOptions) -> int:
    """Steps that fit the minutes, by the time of a few; a run that goes on keeps what was found first."""
    path = Path(ARGS.folder) / f"steps-{ARGS.start}-{ARGS.seed}.json"
    if ARGS.folder and path.is_file():
        return int(json.loads(path.read_text()))
    assert options.encoder
    tokens = encoder.tokenized(list(items.names[:: max(1, len(items.names) // 500)]))
    began = time.process_time()
    encoder.vectors(tokens)
    name = (time.process_time() - began) / ARGS.threads / len(tokens)
    of_step = options.encoder.schedule.rows + options.encoder.encoded_keys
    some = (tokens * (of_step // len(tokens) + 1))[:of_step]
    began = time.process_time()
    for _ in range(TIMED):
        encoder(some).sum().backward()
    step = (time.process_time() - began) / ARGS.threads / TIMED
    encoder.zero_grad()
    look = name * len(items.names)
    steps = int((60 * ARGS.minutes - 2 * look) / (1.1 * step + look / options.encoder.schedule.check_every))
    print(
        f"a step {step:.2f} s, a look {look:.0f} s: {steps} steps in {ARGS.minutes:.0f} minutes", flush=True
    )
    if ARGS.folder:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(max(steps, 1)))
    return max(steps, 1)


def fit(vectors: Floats, known: Known, options: TrainingOptions) -> m.Models:
    """Heads of item attention on these vectors; nothing else is compared."""
    heads = train_pairs(vectors, known.counts, known.purchases, options.pairs, seed=ARGS.seed, device="cpu")
    found = projections(heads, vectors)
    return m.Models(known, m.Fitted(found, found), {}, {})


def measured(
    models: m.Models, known: Known, split: Split, name: str, options: TrainingOptions
) -> dict[str, Sums]:
    """Both methods on test, each with the parameters that were best on validation."""
    validation, test = (task(name, part, split, options) for part in ("validation", "test"))
    best = best_of_each(validation, list(m.with_attention(models, name)), known.is_cold)
    ranked = rank(test, [candidate for candidate, _ in best.values()], known.is_cold)
    return {method: sums_of(test, of) for method, of in zip(best, ranked, strict=True)}


def task(name: str, part: str, split: Split, options: TrainingOptions) -> Task:
    baskets = split.validation if part == "validation" else split.test
    how = {"part": part, "max_queries": options.evaluate.max_queries, "seed": ARGS.seed}
    if name == BASKETS:
        return basket_completion(baskets, split.train, item_classes(split), **how)
    return partner_search(baskets, item_classes(split), **how)


def show(name: str, method: str, untouched: Sums, tuned: Sums) -> None:
    """Both sides and their paired difference with its 95% interval."""
    for metric, of_class in SHOWN[name]:
        (before, wanted), (after, _) = untouched.of(metric, of_class), tuned.of(metric, of_class)
        difference = estimate(after - before, wanted, resamples=1000, seed=ARGS.seed)
        value, low, high = (float(field[0]) for field in difference)
        print(
            f"{name:<8} {method:<19} {metric:<11} as they are {before.sum() / wanted.sum():.4f}  "
            f"tuned {after.sum() / wanted.sum():.4f}  difference {value:+.4f} [{low:+.4f}, {high:+.4f}]",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
