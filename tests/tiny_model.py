"""Makes a tiny model that real servers can serve: 1.2 M random weights, a tokenizer, an adapter.

    python tests/tiny_model.py FOLDER

It runs in the environment of the server (torch, transformers, tokenizers, safetensors), takes a few
seconds and always makes the same weights. FOLDER/adapter holds a LoRA adapter whose replies differ.
The text it writes means nothing, but it ends: most replies have 2 to 40 tokens, the strings of a
form are as short, and its lists have some two items. Greedy text may go round in circles for ever.
"""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM
from transformers.utils import logging

SEED = 17
VOCABULARY = 640
LENGTH = 4096
HEADS, HEAD = 2, 64
RANK = 8

# A token that the tokenizer knows and the model does not would kill a server that reads its name:
# what transformers adds to a Qwen2 tokenizer is therefore in the vocabulary.
END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"
THINKING = ["<think>", "</think>"]  # what reasoning parsers look for

SPREAD = 1.5  # standard deviation of the logits
SCALE = 4.3  # root mean square of what comes before the last norm
# By how many nats a token is likelier after others. After the end of a line and a quote, which may
# open a text, it goes on, so that no text is empty.
OPENING = ("\n", '"')
AFTER_OTHERS = {END: 6.0, '"': 6.0}
AFTER = {"[": {"{": 6.0}, "}": {",": 0.2}}
UNSAID = -20.0  # for marks, and for bytes that are no printable ASCII

# Any text does: it only decides which bytes are put together to tokens.
WORDS = """\
a about after again all also an and answer answers any are as ask asked at be because been
before between both but by can context could depth do does each equal every false find first for
from given has have how if in is it larger last least less level list make many may model more
most must name no node not number of on one only or other part question questions reply rivers
same says short should smaller so some step steps sub sum text than that the their them then
there these they this three time to total tree true two under use value was what when where
which who why will with word words would write yes you your
"""

CHATML = f"""\
{{%- for message in messages -%}}
{START}{{{{ message.role }}}}
{{% if message.role == "assistant" %}}{{% generation %}}{{{{ message.content }}}}{END}
{{% endgeneration %}}{{% else %}}{{{{ message.content }}}}{END}
{{% endif %}}
{{%- endfor -%}}
{{%- if add_generation_prompt %}}{START}assistant
{{% endif -%}}
"""


def main(folder: Path) -> None:
    logging.disable_progress_bar()
    tokenizer = train_tokenizer()
    tokenizer.save_pretrained(folder)
    model = make_model(tokenizer)
    model.save_pretrained(folder)
    save_adapter(model, folder / "adapter")


def train_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE of VOCABULARY tokens, in which every digit is a token."""
    chance, words = random.Random(SEED), WORDS.split()
    lines = (" ".join(chance.choices(words, k=12)).capitalize() + "." for _ in range(2000))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(THINKING),
        special_tokens=[END, START, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_tokens(THINKING)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHATML,
        model_max_length=LENGTH,
        clean_up_tokenization_spaces=False,
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> Qwen2ForCausalLM:
    torch.manual_seed(SEED)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=VOCABULARY,
            hidden_size=HEADS * HEAD,
            intermediate_size=4 * HEADS * HEAD,
            num_hidden_layers=4,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            max_position_embeddings=LENGTH,
            tie_word_embeddings=False,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            initializer_range=0.1,
        )
    )
    favour(model, tokenizer)
    return model.to(torch.bfloat16)


@torch.no_grad()
def favour(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Makes tokens likelier by the token before them, as said above.

    Each rule has a hidden dimension of its own, in which only the embeddings write and which only
    the head reads.
    """
    texts = tokenizer.convert_ids_to_tokens(range(VOCABULARY))
    number = {text: i for i, text in enumerate(texts)} | {"\n": tokenizer.encode("\n")[0]}
    said = [re.fullmatch("Ġ?[!-~]+", text) and not re.fullmatch("<.+>", text) for text in texts]
    unsaid = {text: UNSAID for text, may in zip(texts, said, strict=True) if not may}
    rules = [
        (number, {**unsaid, END: 0.0}),
        (number.keys() - {*OPENING, "Ċ"}, AFTER_OTHERS),
        *(((before,), favoured) for before, favoured in AFTER.items()),
    ]
    embedding, head = model.model.embed_tokens.weight, model.lm_head.weight
    head *= SPREAD / head.std() / head.shape[1] ** 0.5
    for writing in (embedding.T, head.T):
        writing[: len(rules)] = 0
    for layer in model.model.layers:
        for projection in (layer.self_attn.o_proj, layer.mlp.down_proj):
            projection.weight[: len(rules)] = 0
    for dimension, (before, favoured) in enumerate(rules):
        embedding[[number[text] for text in before], dimension] = 1.0
        for text, nats in favoured.items():
            head[number[text], dimension] = nats * SCALE


def save_adapter(model: Qwen2ForCausalLM, folder: Path) -> None:
    """Writes what peft would: two factors, (RANK, in) and (out, RANK), of each projection."""
    chance = torch.Generator().manual_seed(SEED + 1)
    modules = ("q_proj", "v_proj")
    weights = {}
    for name, module in model.named_modules():
        if name.endswith(modules):
            key = f"base_model.model.{name}"
            outputs, inputs = module.weight.shape
            weights[f"{key}.lora_A.weight"] = torch.randn(RANK, inputs, generator=chance) * 0.2
            weights[f"{key}.lora_B.weight"] = torch.randn(outputs, RANK, generator=chance) * 0.2
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "tiny",
        "r": RANK,
        "lora_alpha": 2 * RANK,
        "lora_dropout": 0.0,
        "target_modules": modules,
        "bias": "none",
        "inference_mode": True,
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
