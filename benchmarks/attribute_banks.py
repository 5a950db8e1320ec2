"""How long a bank takes on a CPU, with a randomly initialised text tower of ViT-B/16's size.

    python -m benchmarks.attribute_banks

VOC: 400 sentences, K = 112; COCO: 1600 sentences, K = 224.
Processor seconds are summed over threads.
"""

from __future__ import annotations

import tempfile
import time

import open_clip
import torch
from open_clip.model import CLIPTextCfg, _build_text_tower

from mmseg_excel.clip.towers import TextEncoder
from mmseg_excel.text.attribute_bank import get_attribute_bank
from mmseg_excel.text.attributes import cluster_attributes
from mmseg_excel.text.class_texts import all_texts
from mmseg_excel.text.descriptions import load_descriptions

MODEL = 'ViT-B-16-quickgelu'


def random_encoder() -> TextEncoder:
    torch.manual_seed(0)
    config = open_clip.get_model_config(MODEL)
    tower = _build_text_tower(
        config['embed_dim'], CLIPTextCfg(**config['text_cfg']), quick_gelu=True
    )
    return TextEncoder(tower.eval(), open_clip.get_tokenizer(MODEL), 'random')


def timed(function, *arguments) -> tuple[str, object]:
    """Wall and processor seconds, and the result."""
    wall, processor = time.perf_counter(), time.process_time()
    result = function(*arguments)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return f'{wall:.2f} s ({processor:.2f} s of processor)', result


def main() -> None:
    encoder = random_encoder()
    print(f'{torch.get_num_threads()} threads')
    for name, num_attributes in (('voc', 112), ('coco', 224)):
        sentences = all_texts(load_descriptions(name))
        with tempfile.TemporaryDirectory() as cache:
            building, bank = timed(get_attribute_bank, encoder, sentences, num_attributes, cache)
            reading, _ = timed(get_attribute_bank, encoder, sentences, num_attributes, cache)
        clustering, _ = timed(cluster_attributes, bank.embeddings, num_attributes)
        print(f'{name}: {len(sentences)} sentences, K = {num_attributes}')
        print(f'  built {building}, of which clustering {clustering}; read again {reading}')


if __name__ == '__main__':
    main()
