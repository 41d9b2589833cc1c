"""The same model as fast as PyTorch was found to train and embed it on a CPU: `python best.py FOLDER THREADS`."""

import ctypes
import math

import torch
import torch._inductor.config
import torch.nn.functional as F
from torch import nn

from peer import Workload, adamw, arguments, converse, padding_of, read_workload

# A score that no softmax gives weight to.
EXCLUDED = -1e30

EMBED_ROWS = 32


def keep_freed_memory() -> None:
    """Has glibc keep what is freed, which saves asking the system for pages, and clearing them, in every step."""
    trim_threshold, most_mappings = -1, -4
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change:
        change(most_mappings, 0)
        change(trim_threshold, 2**31 - 1)


def onednn_linear(x: torch.Tensor, weight: torch.Tensor, activation: str = "none") -> torch.Tensor:
    """x · weightᵀ by oneDNN; torch's own operators take such products of float32 to MKL."""
    algorithm = "none" if activation == "gelu" else ""
    return torch.ops.mkldnn._linear_pointwise(x, weight, None, activation, [], algorithm)


@torch.library.custom_op("peer::product", mutates_args=())
def product(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`onednn_linear` as an operator of its own, since the compiler takes oneDNN's only with weights that are constants."""
    return onednn_linear(x, weight)


@product.register_fake
def _(x, weight):
    return x.new_empty(*x.shape[:-1], weight.shape[0])


class Product(torch.autograd.Function):
    """oneDNN where it is the faster, forward and for the gradient of x; MKL for that of the weight."""

    @staticmethod
    def forward(context, x, weight):
        context.save_for_backward(x, weight)
        return product(x, weight)

    @staticmethod
    def backward(context, gradient):
        x, weight = context.saved_tensors
        rows = gradient.flatten(0, -2)
        return product(rows, weight.t()).view(x.shape), rows.t() @ x.flatten(0, -2)


class Linear(nn.Module):
    """Several linear layers of one input as one: the weights of the names given, one below the other."""

    def __init__(self, workload: Workload, *names: str):
        super().__init__()
        self.weight = parameter(workload, *(f"{name}.weight" for name in names))

    def forward(self, x, activation="none"):
        if not torch.is_grad_enabled():
            return onednn_linear(x, self.weight, activation)
        y = Product.apply(x, self.weight)
        return F.gelu(y) if activation == "gelu" else y


def parameter(workload: Workload, *names: str) -> nn.Parameter:
    """The tensors of these names in the file, joined; all of them decay or none does."""
    values = nn.Parameter(torch.cat([workload.weights[name] for name in names]))
    values.name_in_file = names[0]
    return values


class Norm(nn.Module):
    def __init__(self, workload: Workload, name: str, epsilon: float = 1e-5):
        super().__init__()
        self.scale = parameter(workload, f"{name}.scale")
        self.bias = parameter(workload, f"{name}.bias")
        self.epsilon = epsilon

    def forward(self, x):
        return F.layer_norm(x, self.scale.shape, self.scale, self.bias, self.epsilon)


def fused_attention(query, key, value, mask=None):
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask)


def compiled_attention(query, key, value, mask=None):
    """Written out, for the compiler to fuse all but the two products."""
    scores = query @ key.transpose(-1, -2) * (1 / math.sqrt(query.shape[-1]))
    return (scores if mask is None else scores + mask).softmax(dim=-1) @ value


def split(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def joined(x):
    return x.transpose(1, 2).flatten(2)


def additive(excluded):
    """bool[batch, keys] as float32[batch, 1, 1, keys] to add to scores."""
    return torch.zeros(excluded.shape).masked_fill(excluded, EXCLUDED)[:, None, None, :]


class MLP(nn.Module):
    """With the norm before it and the residual connection around both."""

    def __init__(self, workload: Workload, name: str):
        super().__init__()
        self.norm = Norm(workload, f"{name}.mlp_norm")
        self.expand = Linear(workload, f"{name}.mlp.expand")
        self.contract = Linear(workload, f"{name}.mlp.contract")

    def forward(self, x):
        return x + self.contract(self.expand(self.norm(x), activation="gelu"))


class SelfAttentionBlock(nn.Module):
    def __init__(self, workload: Workload, name: str, attend, first=False):
        super().__init__()
        self.heads, self.attend = workload.encoder["heads"], attend
        inner = f"{name}.attention"
        self.norm = Norm(workload, f"{name}.attention_norm")
        # Keys and values of a transformer's first layer are the tokens as embedded, not normalised again.
        self.query = Linear(workload, f"{inner}.query") if first else None
        names = ("key", "value") if first else ("query", "key", "value")
        self.projections = Linear(workload, *(f"{inner}.{part}" for part in names))
        self.output = Linear(workload, f"{inner}.output")
        self.mlp = MLP(workload, name)

    def forward(self, x, mask=None):
        normalized = self.norm(x)
        if self.query is None:
            parts = self.projections(normalized).chunk(3, dim=-1)
        else:
            parts = (self.query(normalized), *self.projections(x).chunk(2, dim=-1))
        mixed = self.attend(*(split(part, self.heads) for part in parts), mask)
        return self.mlp(x + self.output(joined(mixed)))


class CrossAttention(nn.Module):
    """The parts of a cross-attention block, which its two users put together differently."""

    def __init__(self, workload: Workload, name: str, heads: int):
        super().__init__()
        self.heads = heads
        inner = f"{name}.attention"
        self.norm = Norm(workload, f"{name}.attention_norm")
        self.query = Linear(workload, f"{inner}.query")
        self.key_value = Linear(workload, f"{inner}.key", f"{inner}.value")
        self.output = Linear(workload, f"{inner}.output")
        self.mlp = MLP(workload, name)

    def keys_and_values(self, source):
        return (split(part, self.heads) for part in self.key_value(source).chunk(2, dim=-1))


class Model(nn.Module):
    def __init__(self, workload: Workload, attend):
        super().__init__()
        encoder = workload.encoder
        self.attend = attend
        self.fields = workload.spec["kind"] == "fields"
        self.positions = parameter(workload, "embedding.positions")
        self.tokens = parameter(workload, "embedding.tokens")
        if self.fields:
            self.projection = parameter(workload, "embedding.projection.weight")
        self.norm = Norm(workload, "embedding.norm", 1e-12)
        self.perceiver = encoder["kind"] == "perceiver"
        if self.perceiver:
            self.latents = parameter(workload, "encoder.latents")
            self.reader = CrossAttention(workload, "encoder.cross_attention", encoder["cross_heads"])
        self.layers = nn.ModuleList(
            SelfAttentionBlock(workload, "encoder.first_layer", attend, first=True)
            if layer == 0 and not self.perceiver
            else SelfAttentionBlock(workload, f"encoder.layers.{layer}", attend)
            for layer in range(encoder["layers"])
        )

    def embedded(self, ids, values, positions):
        x = F.embedding(ids, self.tokens) + positions
        return self.norm(x + values * self.projection if self.fields else x)

    def read(self, embedded, padding, choose_hidden=None):
        """The states of the latents, before the layers. What only depends on the latents is computed once for all rows."""
        reader = self.reader
        query = split(reader.query(reader.norm(self.latents)[None]), reader.heads)
        key, value = reader.keys_and_values(embedded)
        excluded = padding if choose_hidden is None else padding | choose_hidden(query.detach(), key.detach())
        mixed = self.attend(query.expand(len(embedded), -1, -1, -1), key, value, additive(excluded))
        return reader.mlp(self.latents + reader.output(joined(mixed)))

    def forward(self, batch):
        """The embeddings float32[batch, width]."""
        ids, padding = batch["ids"], padding_of(batch)
        x = self.embedded(ids, batch.get("values"), self.positions[: ids.shape[1]])
        if self.perceiver:
            x = self.read(x, padding)
            for layer in self.layers:
                x = layer(x)
            return x.mean(dim=1)
        mask = additive(padding)
        for layer in self.layers:
            x = layer(x, mask)
        return (x * ~padding[..., None]).sum(dim=1) / batch["lengths"][:, None]


class MaskedAutoencoder(Model):
    def __init__(self, workload: Workload, attend):
        super().__init__(workload, attend)
        self.states_norm = Norm(workload, "decoder.states_norm")
        self.decoder = CrossAttention(workload, "decoder.cross_attention", workload.objective["decoder_heads"])
        self.output_norm = Norm(workload, "decoder.output_norm", 1e-12)
        if self.fields:
            self.output = parameter(workload, "decoder.output.weight")
            self.output_bias = parameter(workload, "decoder.output.bias")
        else:
            self.output_bias = parameter(workload, "decoder.output_bias")

    def self_guided(self, batch, padding):
        """Positions to hide int64[batch, k] and the states of the latents, by one pass."""
        used, places = batch["used"], None

        @torch.no_grad()
        def choose_hidden(query, key):
            nonlocal places
            # Attention of the chosen queries alone: the others have no say.
            chosen = batch["chosen_queries"].sum(dim=1).topk(self.chosen, dim=1).indices
            asked = query[0].transpose(0, 1)[chosen].transpose(1, 2)
            scores = asked @ key.transpose(-1, -2) * (1 / math.sqrt(query.shape[-1]))
            attention = scores.masked_fill(padding[:, None, None], EXCLUDED).softmax(dim=-1)
            places, hidden = largest(attention.sum(dim=(1, 2)), padding, used)
            return hidden

        x = self.read(self.embedded(batch["ids"], batch.get("values"), self.positions), padding, choose_hidden)
        for layer in self.layers:
            x = layer(x)
        return places, x

    def randomly_masked(self, batch, padding):
        """Positions to hide, the states of the tokens left to see, which alone go through the encoder, and their mask."""
        ids, used = batch["ids"], batch["used"]
        places, hidden = largest(batch["scores"], padding, used)
        excluded = padding | hidden
        # No row has more to see than the longest has: those come first, and a few excluded ones fill up.
        seen = excluded.to(torch.uint8).argsort(dim=1, stable=True)[:, : ids.shape[1] - used.shape[1]]
        mask = additive(excluded.gather(1, seen))
        x = self.embedded(ids.gather(1, seen), None, F.embedding(seen, self.positions))
        for layer in self.layers:
            x = layer(x, mask)
        return places, x, mask

    def decode(self, states, places, mask):
        """What is asked depends on the position alone, so it is computed once for each, not for each hidden token."""
        decoder = self.decoder
        questions = F.embedding(places, decoder.query(decoder.norm(self.positions)))
        key, value = decoder.keys_and_values(self.states_norm(states))
        mixed = self.attend(split(questions, decoder.heads), key, value, mask)
        return self.output_norm(decoder.mlp(decoder.output(joined(mixed))))

    def forward(self, batch):
        padding, used, mask = padding_of(batch), batch["used"], None
        if self.perceiver:
            places, states = self.self_guided(batch, padding)
        else:
            places, states, mask = self.randomly_masked(batch, padding)
        decoded = self.decode(states, places, mask)
        if self.fields:
            predicted = decoded @ self.output[0] + self.output_bias[0]
            losses = (predicted - batch["values"][..., 0].gather(1, places)).square()
        else:
            logits = F.linear(decoded, self.tokens, self.output_bias)
            wanted = batch["ids"].gather(1, places)
            losses = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="none").view_as(used)
        return (losses * used).sum() / used.sum()


def largest(scores, padding, used):
    """Places of the largest scores int64[batch, k], and bool[batch, tokens]: true at those that are used."""
    places = scores.masked_fill(padding, -1).topk(used.shape[1], dim=1).indices
    return places, torch.zeros(scores.shape).scatter(1, places, used) > 0


def main() -> None:
    folder, _ = arguments()
    keep_freed_memory()
    # No pool of processes, which would stay.
    torch._inductor.config.compile_threads = 1
    workload = read_workload(folder)
    perceiver = workload.encoder["kind"] == "perceiver"

    def make_step():
        model = MaskedAutoencoder(workload, compiled_attention if perceiver else fused_attention)
        if perceiver:
            model.chosen = int(workload.batches[0]["chosen_queries"][0].sum())
        parameters = list(model.parameters())
        optimizer = adamw(workload, {parameter.name_in_file: parameter for parameter in parameters}, fused=True)
        loss_of = torch.compile(model, dynamic=False) if perceiver else model

        def step(batch):
            loss = loss_of(batch)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, workload.optimizer["clipNorm"], foreach=True)
            optimizer.step()
            optimizer.zero_grad()
            return loss.item()

        return step

    def make_embed():
        model = Model(workload, fused_attention)
        records = workload.records
        order = records["lengths"].argsort(descending=True)

        @torch.inference_mode()
        def embed():
            embeddings = torch.empty(len(order), workload.encoder["width"])
            for rows in order.split(EMBED_ROWS):
                longest = int(records["lengths"][rows[0]])
                batch = {name: tensor[rows] for name, tensor in records.items()}
                cropped = {name: tensor[:, :longest] if tensor.dim() > 1 else tensor for name, tensor in batch.items()}
                embeddings[rows] = model(cropped)
            return embeddings

        return embed

    converse("best", workload, make_step, make_embed)


if __name__ == "__main__":
    main()
