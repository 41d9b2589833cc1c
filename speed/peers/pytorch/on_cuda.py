"""The model of best.py on a CUDA device, in float32 without TF32: `python on_cuda.py FOLDER THREADS eager|compiled`."""

import sys

import torch
from torch import nn

import best
from peer import adamw, arguments, converse, read_workload


def main(device: str = "cuda") -> None:
    variant = sys.argv.pop() if len(sys.argv) == 4 else ""
    if variant not in ("eager", "compiled"):
        raise SystemExit(f"expected FOLDER THREADS and eager or compiled, got {' '.join(sys.argv[1:])} {variant}")
    folder, _ = arguments()
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} finds no CUDA device")
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    # Masks and the like are made where the model is.
    torch.set_default_device(device)
    workload = read_workload(folder, device)

    def make_step():
        model = best.MaskedAutoencoder(workload, best.fused_attention)
        if model.perceiver:
            model.chosen = workload.chosen_queries
        parameters = list(model.parameters())
        optimizer = adamw(workload, {parameter.name_in_file: parameter for parameter in parameters}, fused=True)
        loss_of = torch.compile(model, dynamic=False) if variant == "compiled" else model

        def step(batch):
            loss = loss_of(batch)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, workload.optimizer["clipNorm"], foreach=True)
            optimizer.step()
            optimizer.zero_grad()
            # Waits for the device, as whoever looks at the loss does.
            return loss.item()

        return step

    def make_embed():
        raise SystemExit("embedding is compared on the CPU alone")

    name = torch.cuda.get_device_name() if device == "cuda" else device
    converse(f"{variant} on {name}", workload, make_step, make_embed)


if __name__ == "__main__":
    main()
