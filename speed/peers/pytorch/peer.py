"""What both programs share: the conversation, the files of a workload, the optimizer's settings, and the clock."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn


@dataclass
class Workload:
    spec: dict
    encoder: dict
    objective: dict
    optimizer: dict
    decayed: set[str]
    weights: dict[str, torch.Tensor]
    """Those of linear layers are [width, inputs], as torch has them."""
    batches: list[dict[str, torch.Tensor]]
    records: dict[str, torch.Tensor]

    @property
    def batch_size(self) -> int:
        return len(self.batches[0]["lengths"])

    @property
    def chosen_queries(self) -> int:
        """Rows of the attention map that are drawn for each record; the same number in all."""
        return int((self.batches[0]["chosen_queries"][0] > 0).any(dim=0).sum())


def is_linear(name: str) -> bool:
    return name.endswith(".weight") and name != "embedding.projection.weight"


def read_workload(folder: Path, device: str = "cpu") -> Workload:
    described = json.loads((folder / "workload.json").read_text())
    model = described["model"]
    spec = model["spec"]
    if spec["kind"] == "continuous" or any(field["type"] != "numeric" for field in spec.get("fields", [])):
        raise SystemExit(f"{folder}: expected letters or numeric columns, found other tokens; choose another configuration")
    if "select_initial_ratio" in model["objective"]:
        raise SystemExit(f"{folder}: expected no select_initial_ratio, found a schedule; leave it out")
    weights = load_file(folder / "weights.safetensors", device)
    tensors = load_file(folder / "batches.safetensors", device)
    batches = [
        {name.removeprefix(f"{index}."): tensor for name, tensor in tensors.items() if name.startswith(f"{index}.")}
        for index in range(described["batches"])
    ]
    return Workload(
        spec=spec,
        encoder=model["encoder"],
        objective=model["objective"],
        optimizer=described["optimizer"],
        decayed=set(described["decayed"]),
        weights={
            name: tensor.t().contiguous() if is_linear(name) else tensor for name, tensor in weights.items()
        },
        batches=[with_long_ids(batch) for batch in batches],
        records=with_long_ids(load_file(folder / "records.safetensors", device)),
    )


def with_long_ids(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Lookups and cross-entropy want int64."""
    return {name: tensor.long() if tensor.dtype == torch.int32 else tensor for name, tensor in tensors.items()}


def padding_of(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """bool[batch, tokens]: true where a row has ended."""
    return torch.arange(batch["ids"].shape[1]) >= batch["lengths"][:, None]


def parameter_groups(workload: Workload, named: dict[str, nn.Parameter]) -> list[dict]:
    """Parameters that decay and those that do not; `named` has a name of the file for each."""
    return [
        {
            "params": [parameter for name, parameter in named.items() if (name in workload.decayed) == decays],
            "weight_decay": workload.optimizer["weightDecay"] if decays else 0.0,
        }
        for decays in (True, False)
    ]


def adamw(workload: Workload, named: dict[str, nn.Parameter], **options) -> torch.optim.AdamW:
    settings = workload.optimizer
    return torch.optim.AdamW(
        parameter_groups(workload, named),
        lr=settings["learningRate"],
        betas=(settings["beta1"], settings["beta2"]),
        eps=settings["epsilon"],
        **options,
    )


def arguments() -> tuple[Path, int]:
    """FOLDER and THREADS; sets up torch for so many threads."""
    if len(sys.argv) != 3 or not sys.argv[2].isdigit() or int(sys.argv[2]) < 1:
        given = " ".join(sys.argv[1:]) or "nothing"
        raise SystemExit(f"expected FOLDER THREADS, got {given}; try the folder of a workload and 2")
    folder, threads = Path(sys.argv[1]), int(sys.argv[2])
    if not (folder / "workload.json").is_file():
        raise SystemExit(f"{folder}: expected a folder with workload.json; write one with speed/workload.mjs first")
    # Before the first parallel work: new threads inherit it.
    torch.set_flush_denormal(True)
    torch.set_num_threads(threads)
    return folder, threads


def converse(name: str, workload: Workload, make_step, make_embed) -> None:
    """
    Answers commands until the input ends. `make_step()` gives a function that trains on one batch and returns its loss,
    `make_embed()` one that returns float32[records, width]; each is made when first asked for.
    """

    def say(message: dict) -> None:
        print(json.dumps(message), flush=True)

    say({"version": f"{name}, torch {torch.__version__}"})
    step = embed = None
    taken = 0
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "train":
            step = step or make_step()
            milliseconds, losses = [], []
            for _ in range(command["steps"]):
                started = time.perf_counter()
                losses.append(step(workload.batches[taken % len(workload.batches)]))
                milliseconds.append((time.perf_counter() - started) * 1000)
                taken += 1
            say({"milliseconds": milliseconds, "losses": losses})
        elif command["do"] == "embed":
            embed = embed or make_embed()
            started = time.perf_counter()
            embeddings = embed()
            elapsed = (time.perf_counter() - started) * 1000
            embeddings.numpy().tofile(command["out"])
            say({"milliseconds": [elapsed]})
        else:
            raise SystemExit(f'expected {{"do": "train"}} or {{"do": "embed"}}, got {line.strip()}')
