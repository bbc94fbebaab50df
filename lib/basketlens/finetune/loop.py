"""Steps of AdamW with warm-up, decay and clipping; stops early, and goes on from a checkpoint as if never stopped."""

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from basketlens.errors import InputError
from basketlens.finetune.checkpoint import Checkpoint, State, load_state, save_state

Model = TypeVar("Model", bound=nn.Module)


class Schedule(NamedTuple):
    """How a training proceeds."""

    steps: int
    rows: int  # of a step
    learning_rate: float  # after warm-up; falls to 0 as a cosine
    warmup: float  # 0..1, share of the steps in which it rises
    weight_decay: float
    clip: float  # largest L2 norm of all gradients together
    check_every: int  # steps between two looks at held-out loss
    patience: int  # looks without a better loss before training stops


class Group(NamedTuple):
    """Parameters of a model that learn at a rate of their own."""

    parameters: Sequence[nn.Parameter]
    learning_rate: float  # after warm-up, in place of the schedule's


class Progress(NamedTuple):
    """What a step reports."""

    step: int  # 1..steps
    loss: float  # nats, of the step's rows and sampled keys
    held_out: float | None  # nats, over all keys; None between two looks


def train(
    model: Model,
    step_loss: Callable[[Model, np.random.Generator], Tensor],
    schedule: Schedule,
    *,
    seed: int,
    held_out_loss: Callable[[Model], float] | None,
    checkpoint: Checkpoint | None,
    on_step: Callable[[Progress], None] | None,
    groups: Sequence[Group] = (),
) -> Model:
    """Train the model in place; with held-out data it ends as it was where their loss was lowest.

    Every step draws from a generator of its own, of (seed, step): there is no state of chance to save, and a resumed
    training takes the very steps that it would have taken.  On a GPU products are bfloat16 (autocast), the rest float32.

    Args:
        model: on the device that it is trained on.
        step_loss: the loss of a step, all chance from the generator given.
        schedule: how to proceed.
        seed: of all draws.
        held_out_loss: of the model as it is; None: all steps are taken, and the last weights kept.
        checkpoint: where to save, and to go on from; None: neither.
        on_step: told after every step, a resumed training's earlier steps included.
        groups: all parameters of the model, in parts; none: all learn alike.

    Raises:
        InputError: the loss is no longer a number, or the checkpoint is damaged.
        SettingsError: the checkpoint is of another training.
    """
    optimizer = _optimizer(groups or [Group(list(model.parameters()), schedule.learning_rate)], schedule)
    curve: list[Progress] = []
    best = _weights(model)
    saved = load_state(checkpoint) if checkpoint else None
    if saved:
        curve = [Progress(*report) for report in saved.facts["curve"]]
        best = _restore(model, optimizer, saved)
        for report in curve if on_step else ():
            on_step(report)  # type: ignore[misc]  # the loop is empty without it
    for step in range(len(curve), schedule.steps):
        if _is_over(curve, schedule.patience):
            break
        loss = _step(model, step_loss, optimizer, schedule, step, seed)
        is_look = held_out_loss is not None and (
            (step + 1) % schedule.check_every == 0 or step + 1 == schedule.steps
        )
        held_out = held_out_loss(model) if held_out_loss and is_look else None
        if held_out is not None and held_out < min(
            (p.held_out for p in curve if p.held_out is not None), default=math.inf
        ):
            best = _weights(model)
        curve.append(Progress(step + 1, _finite(loss, step + 1), held_out))
        if checkpoint and (step + 1) % checkpoint.every == 0:
            save_state(checkpoint, _state(model, optimizer, best, curve))
        if on_step:
            on_step(curve[-1])
    if held_out_loss:
        model.load_state_dict(best)
    return model


def _optimizer(groups: Sequence[Group], schedule: Schedule) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        [{"params": list(group.parameters), "highest": group.learning_rate} for group in groups],
        weight_decay=schedule.weight_decay,
        fused=True,
    )


def _step(
    model: Model,
    step_loss: Callable[[Model, np.random.Generator], Tensor],
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    step: int,
    seed: int,
) -> Tensor:
    """One step of the optimizer; gives the loss before it."""
    for group in optimizer.param_groups:
        group["lr"] = group["highest"] * _rate(step, schedule)
    device = next(model.parameters()).device
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        loss = step_loss(model, np.random.default_rng([seed, step]))
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
    optimizer.step()
    return loss


def _rate(step: int, schedule: Schedule) -> float:
    """Share of the learning rate in a step: a line up, then half a cosine down to nearly 0."""
    warm = math.ceil(schedule.warmup * schedule.steps)
    if step < warm:
        return (step + 1) / warm
    return 0.5 + 0.5 * math.cos(math.pi * (step - warm) / max(schedule.steps - warm, 1))


def _is_over(curve: list[Progress], patience: int) -> bool:
    """Whether the last `patience` looks at held-out loss were all worse than the best before them."""
    losses = [report.held_out for report in curve if report.held_out is not None]
    return len(losses) > patience and min(losses[-patience:]) > min(losses[:-patience])


def _finite(loss: Tensor, step: int) -> float:
    value = loss.item()
    if not math.isfinite(value):
        raise InputError(
            f"Training diverged: the loss of step {step} is {value}.\n"
            "  Wanted: a number\n  Next: a lower finetune.learning_rate, or a longer finetune.warmup"
        )
    return value


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(model.state_dict())


def _state(
    model: nn.Module, optimizer: torch.optim.Optimizer, best: dict[str, Tensor], curve: list[Progress]
) -> State:
    tensors = {f"model.{name}": value.contiguous() for name, value in model.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best.items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": value for name, value in moments.items()}
    return State(tensors, {"curve": [list(report) for report in curve]})


def _restore(model: nn.Module, optimizer: torch.optim.Optimizer, saved: State) -> dict[str, Tensor]:
    """Put weights and moments back; gives the best weights so far."""
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for name, value in saved.tensors.items():
        group, rest = name.split(".", 1)
        groups[group][rest] = value
    model.load_state_dict(groups["model"])
    moments: dict[int, dict[str, Any]] = {}
    for name, value in groups["optimizer"].items():
        number, moment = name.split(".")
        moments.setdefault(int(number), {})[moment] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return groups["best"]
