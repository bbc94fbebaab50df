"""Models and tokenizers from a folder: safetensors alone, and no code of the folder."""

import os
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from basketlens.errors import InputError


def load_model(folder: Path) -> Any:
    """The transformer without a head, as `AutoModel` reads it.

    Raises:
        InputError: weights that the vectors need are not in the folder.
    """
    # Python workers fork; threads of the tokenizer would also fight other tasks for the cores.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers import AutoModel
    from transformers.utils import logging

    chatter: Any = logging  # untyped functions
    chatter.disable_progress_bar()
    chatter.set_verbosity_error()  # a report of unused heads per worker; what matters is checked below
    model, report = AutoModel.from_pretrained(
        str(folder),
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        attn_implementation="sdpa",
        output_loading_info=True,
    )
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise InputError(
            f"embed.model lacks {len(missing)} of its weights, which would be drawn at random.\n"
            f"  Folder: {folder}\n  Lacks:  {', '.join(missing[:5])}{' ...' if missing[5:] else ''}"
        )
    return model


def load_tokenizer(folder: Path, *, max_tokens: int) -> Tokenizer:
    """The fast tokenizer, which cuts at `max_tokens` and never pads.

    Folders that have a vocabulary alone, as older Chinese BERTs do, are converted by transformers.

    Raises:
        InputError: transformers makes no fast tokenizer of the folder.
    """
    saved = folder / "tokenizer.json"
    if saved.is_file():
        tokenizer = Tokenizer.from_file(str(saved))
    else:
        from transformers import AutoTokenizer

        try:
            made = AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False, use_fast=True
            )
            tokenizer = made.backend_tokenizer
        except (AttributeError, ImportError, OSError, ValueError) as error:
            raise InputError(
                f"embed.model has no tokenizer.json, and transformers makes no fast tokenizer of what it has.\n"
                f"  Folder: {folder}\n  It says: {str(error).splitlines()[0]}\n  Next: save the tokenizer with AutoTokenizer and save_pretrained"
            ) from None
    tokenizer.no_padding()  # the file may ask for padding to a fixed length
    tokenizer.enable_truncation(max_tokens)
    return tokenizer
