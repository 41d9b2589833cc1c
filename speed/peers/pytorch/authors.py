"""
Self-guided masked autoencoding as the paper's authors structured their program, eager, with torch's defaults:
`python authors.py FOLDER THREADS`.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from peer import Workload, adamw, arguments, converse, padding_of, read_workload

IGNORED = -100


class Attention(nn.Module):
    def __init__(self, width: int, source_width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(source_width, width, bias=False)
        self.value = nn.Linear(source_width, width, bias=False)
        self.output = nn.Linear(width, width, bias=False)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(*x.shape[:-1], self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, queries, source, excluded=None, choose_hidden=None):
        query, key, value = self.split(self.query(queries)), self.split(self.key(source)), self.split(self.value(source))
        scores = torch.matmul(query, key.transpose(-1, -2)) / math.sqrt(query.shape[-1])
        if excluded is not None:
            scores = scores + additive(excluded)
        if choose_hidden is not None:
            scores = scores + additive(choose_hidden(scores.detach().softmax(dim=-1)))
        mixed = torch.matmul(scores.softmax(dim=-1), value)
        return self.output(mixed.permute(0, 2, 1, 3).flatten(2))


def additive(excluded: torch.Tensor) -> torch.Tensor:
    """bool[batch, keys] as float32[batch, 1, 1, keys] to add to scores; a quarter of the lowest number, as two may add up."""
    return excluded[:, None, None, :] * torch.finfo(torch.float32).min / 4


class MLP(nn.Module):
    def __init__(self, width: int, widening: int):
        super().__init__()
        self.expand = nn.Linear(width, widening * width, bias=False)
        self.contract = nn.Linear(widening * width, width, bias=False)

    def forward(self, x):
        return self.contract(F.gelu(self.expand(x)))


class Block(nn.Module):
    def __init__(self, width: int, source_width: int, heads: int, widening: int, residual: bool = True):
        super().__init__()
        self.residual = residual
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, source_width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = MLP(width, widening)

    def forward(self, states, source=None, excluded=None, choose_hidden=None):
        queries = self.attention_norm(states)
        attended = self.attention(queries, queries if source is None else source, excluded, choose_hidden)
        mixed = states + attended if self.residual else attended
        return mixed + self.mlp(self.mlp_norm(mixed))


class Embedding(nn.Module):
    def __init__(self, spec: dict, width: int):
        super().__init__()
        self.positions = nn.Parameter(torch.empty(spec["maxTokens"], width))
        self.tokens = nn.Embedding(spec["vocabulary"], width)
        self.projection = nn.Linear(1, width, bias=False) if spec["kind"] == "fields" else None
        self.norm = nn.LayerNorm(width, eps=1e-12)

    def forward(self, ids, values=None):
        embedded = self.tokens(ids)
        if self.projection is not None:
            embedded = embedded + self.projection(values)
        return self.norm(embedded + self.positions[: ids.shape[1]])


class Encoder(nn.Module):
    def __init__(self, config: dict):
        super().__init__()
        width = config["width"]
        self.latents = nn.Parameter(torch.empty(config["latents"], width))
        self.cross_attention = Block(width, config["embed_width"], config["cross_heads"], 1)
        self.layers = nn.ModuleList(
            Block(width, width, config["heads"], config["widening"]) for _ in range(config["layers"])
        )

    def forward(self, embedded, padding, choose_hidden=None):
        latents = self.latents.expand(len(embedded), -1, -1)
        states = self.cross_attention(latents, embedded, padding, choose_hidden)
        for layer in self.layers:
            states = layer(states)
        return states


class Decoder(nn.Module):
    def __init__(self, spec: dict, encoder: dict, heads: int):
        super().__init__()
        width = encoder["embed_width"]
        self.states_norm = nn.LayerNorm(encoder["width"])
        self.cross_attention = Block(width, encoder["width"], heads, 1, residual=False)
        self.output_norm = nn.LayerNorm(width, eps=1e-12)
        if spec["kind"] == "fields":
            self.output = nn.Linear(width, 1 + spec["vocabulary"])
        else:
            self.output_bias = nn.Parameter(torch.empty(spec["vocabulary"]))

    def forward(self, states, positions, table):
        """Predicts every position of every row."""
        asked = positions.expand(len(states), -1, -1)
        decoded = self.output_norm(self.cross_attention(asked, self.states_norm(states)))
        return self.output(decoded) if hasattr(self, "output") else decoded @ table.t() + self.output_bias


def hide_most_attended(attention, padding, chosen_queries, counts):
    """bool[batch, tokens]: in each row, the tokens that its chosen queries attend to most."""
    averaged = attention.mean(dim=1)
    hidden = torch.zeros_like(padding)
    for row in range(len(averaged)):
        rows = chosen_queries[row].sum(dim=0).nonzero().squeeze(1)
        attended = averaged[row, rows].sum(dim=0).masked_fill(padding[row], -1)
        hidden[row, attended.topk(int(counts[row])).indices] = True
    return hidden


class SelfGuidedMasking(nn.Module):
    def __init__(self, workload: Workload):
        super().__init__()
        spec, encoder = workload.spec, workload.encoder
        self.embedding = Embedding(spec, encoder["embed_width"])
        self.encoder = Encoder(encoder)
        self.decoder = Decoder(spec, encoder, workload.objective["decoder_heads"])

    def forward(self, batch):
        ids, values = batch["ids"], batch.get("values")
        padding = padding_of(batch)
        hidden = padding

        def choose_hidden(attention):
            nonlocal hidden
            hidden = hide_most_attended(attention, padding, batch["chosen_queries"], batch["used"].sum(dim=1))
            return hidden

        states = self.encoder(self.embedding(ids, values), padding, choose_hidden)
        predicted = self.decoder(states, self.embedding.positions[: ids.shape[1]], self.embedding.tokens.weight)
        if values is not None:
            return F.mse_loss(predicted[..., 0][hidden], values[..., 0][hidden])
        labels = ids.masked_fill(~hidden, IGNORED)
        return F.cross_entropy(predicted.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)

    def embed(self, batch):
        embedded = self.embedding(batch["ids"], batch.get("values"))
        return self.encoder(embedded, padding_of(batch)).mean(dim=1)


def parameters_by_file_name(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters under the names that the file of weights has for them."""
    named = {}
    for name, parameter in model.named_parameters():
        if "norm." in name and name.endswith(".weight"):
            name = name.removesuffix("weight") + "scale"
        named[name.replace("embedding.tokens.weight", "embedding.tokens")] = parameter
    return named


def loaded_model(workload: Workload) -> SelfGuidedMasking:
    model = SelfGuidedMasking(workload)
    named = parameters_by_file_name(model)
    if named.keys() != workload.weights.keys():
        raise SystemExit(
            f"weights.safetensors: expected the model's parameters, these differ: {sorted(named.keys() ^ workload.weights.keys())};"
            " write the workload again"
        )
    with torch.no_grad():
        for name, parameter in named.items():
            parameter.copy_(workload.weights[name].view_as(parameter))
    return model


def main() -> None:
    folder, _ = arguments()
    workload = read_workload(folder)
    if workload.encoder["kind"] != "perceiver" or workload.objective["kind"] != "sma":
        raise SystemExit(
            f"{folder}: expected perceiver with sma, found {workload.encoder['kind']} with {workload.objective['kind']},"
            " which the authors' program does not have; run best.py on it"
        )

    def make_step():
        model = loaded_model(workload)
        optimizer = adamw(workload, parameters_by_file_name(model))

        def step(batch):
            optimizer.zero_grad()
            loss = model(batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), workload.optimizer["clipNorm"])
            optimizer.step()
            return loss.item()

        return step

    def make_embed():
        model = loaded_model(workload).eval()
        records, size = workload.records, workload.batch_size

        @torch.no_grad()
        def embed():
            parts = [
                model.embed({name: tensor[start : start + size] for name, tensor in records.items()})
                for start in range(0, len(records["lengths"]), size)
            ]
            return torch.cat(parts)

        return embed

    converse("authors' structure", workload, make_step, make_embed)


if __name__ == "__main__":
    main()
