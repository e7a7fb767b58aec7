#!/usr/bin/env python3
"""The Python parts of scripts/gpu-check.sh.

gpu-check.py reference MODEL TEXTS   what this GPU reaches with PyTorch: the rate of a bf16 product, the bandwidth of a
                                     copy, and sentence-transformers in fp16 on the same texts. One line of JSON each.
gpu-check.py summary OUT             a table of all figures, and the ratios that count, from the files of the other parts.
"""

import json
import os
import statistics
import sys
import time


def emit(**figure):
    print(json.dumps(figure), flush=True)


def matrix_rate(torch):
    n = 8192
    for dtype in (torch.bfloat16, torch.float16):
        a = torch.randn(n, n, device="cuda", dtype=dtype)
        b = torch.randn(n, n, device="cuda", dtype=dtype)
        times = []
        for i in range(25):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            torch.mm(a, b)
            end.record()
            end.synchronize()
            if i >= 5:
                times.append(start.elapsed_time(end))
        emit(figure="matrix_rate", dtype=str(dtype).split(".")[1], teraflops=2 * n**3 / statistics.median(times) / 1e9)


def load_model(path):
    from sentence_transformers import SentenceTransformer, models

    if os.path.exists(os.path.join(path, "model.safetensors")):
        words = models.Transformer(path, max_seq_length=512)
        source = "fixture"
    else:
        raise FileNotFoundError(f"no model.safetensors in {path}: the part js makes it; run it first, or pack a Node.js")
    pooling = models.Pooling(words.get_word_embedding_dimension(), pooling_mode="mean")
    model = SentenceTransformer(modules=[words, pooling, models.Normalize()], device="cuda")
    return model.half(), source


def encode_rates(torch, model_path, texts_path):
    with open(texts_path, encoding="utf-8") as file:
        all_texts = json.load(file)
    model, source = load_model(model_path)
    for name, texts in all_texts.items():
        # sentence-transformers sorts by length itself; the best of several batch sizes counts.
        lengths = model.tokenizer(texts, truncation=True, max_length=512)["input_ids"]
        tokens = sum(len(ids) for ids in lengths)
        longest = 512 if name == "mixed" else int(name)
        for batch_size in sorted({max(32, 16384 // longest), max(64, 65536 // longest), 1024 if longest < 512 else 128}):
            times = []
            for i in range(3):
                torch.cuda.synchronize()
                start = time.perf_counter()
                model.encode(texts, batch_size=batch_size, show_progress_bar=False, normalize_embeddings=True)
                torch.cuda.synchronize()
                if i > 0:
                    times.append(time.perf_counter() - start)
            emit(figure="st_rate", length=name, batch_size=batch_size, texts=len(texts), tokens=tokens, model=source,
                 tokens_per_second=round(tokens / min(times)))
        # Without tokenizing: the model alone, padded batches of one length range, as encode() runs it.
        order = sorted(range(len(texts)), key=lambda i: -len(lengths[i]))
        size = max(64, 65536 // longest)
        batches = []
        for first in range(0, len(order), size):
            features = model.tokenizer.pad({"input_ids": [lengths[i] for i in order[first:first + size]]}, return_tensors="pt")
            batches.append({key: value.cuda() for key, value in features.items()})
        times = []
        with torch.inference_mode():
            for i in range(4):
                torch.cuda.synchronize()
                start = time.perf_counter()
                for batch in batches:
                    model({key: value.clone() for key, value in batch.items()})["sentence_embedding"]
                torch.cuda.synchronize()
                if i > 0:
                    times.append(time.perf_counter() - start)
        emit(figure="st_model_rate", length=name, batch_size=size, tokens=tokens, tokens_per_second=round(tokens / min(times)))


def reference(model_path, texts_path):
    try:
        import torch
    except ImportError as error:
        emit(figure="failure", section="reference", message=str(error))
        return 1
    failed = False
    for name, body in {"matrix": lambda: matrix_rate(torch),
                       "sentence-transformers": lambda: encode_rates(torch, model_path, texts_path)}.items():
        try:
            body()
        except Exception as error:  # the other part still counts
            failed = True
            emit(figure="failure", section=name, message=f"{type(error).__name__}: {error}")
    return 1 if failed else 0


def read_figures(folder):
    figures = []
    for name in ("bench.jsonl", "reference.jsonl", "js.jsonl"):
        try:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                for line in file:
                    if line.startswith("{"):
                        figures.append(json.loads(line))
        except (OSError, json.JSONDecodeError) as error:
            figures.append({"figure": "failure", "section": name, "message": str(error)})
    return figures


def summary(folder):
    figures = read_figures(folder)
    of = lambda kind, **wanted: [f for f in figures if f["figure"] == kind and all(f.get(k) == v for k, v in wanted.items())]
    best = lambda rows: max((row["tokens_per_second"] for row in rows), default=None)
    verdicts = []

    print("failures:", *[f"{f['section']}: {f['message']}" for f in of("failure")] or ["none"], sep="\n  ")
    for row in of("matrix_rate"):
        print(f"matrix rate measured here, {row['dtype']}: {row['teraflops']:.0f} TFLOP/s")
    for row in of("copy"):
        print(f"copy: {row['gigabytes_per_second']:.0f} GB/s")
    matrix = max((row["teraflops"] for row in of("matrix_rate", dtype="bfloat16")), default=None)

    print("\ntokens/s      ours, ids in    ours, JavaScript    sentence-transformers    its model alone")
    for length in ("16", "64", "128", "512", "mixed"):
        ids, js = best(of("rate", length=length)), best(of("js_rate", length=length))
        theirs, alone = best(of("st_rate", length=length)), best(of("st_model_rate", length=length))
        show = lambda value: f"{value:,.0f}" if value else "-"
        print(f"{length:>6} {show(ids):>19} {show(js):>19} {show(theirs):>24} {show(alone):>18}")
        if js and theirs:
            verdicts.append({"what": f"js over sentence-transformers, {length}", "value": js / theirs, "wanted": 3})
        if ids and matrix and length in ("128", "512"):
            rate = max(row["teraflops"] for row in of("rate", length=length))
            verdicts.append({"what": f"share of the bf16 matrix rate, {length}", "value": rate / matrix, "wanted": 0.4})

    for row in of("vectors"):
        print(f"\n{row['dtype']}: least cosine {row['least_cosine']:.7f} of {row['texts']} texts; alone, "
              f"{row['different_alone']} differ, by at most {row['largest_difference']:g}")
        verdicts.append({"what": f"least cosine, {row['dtype']}", "value": row["least_cosine"], "wanted": 0.9999})
    for row in of("batch"):
        print(f"batches, {row['dtype']}: {row['different']} of {row['compared']} vectors differ, "
              f"by at most {row['largest_difference']:g}")

    print("\nlone text, µs p50/p99:")
    for row in of("latency"):
        print(f"  {row['length']:>4} tokens, ids in: {row['microseconds_p50']:.0f} / {row['microseconds_p99']:.0f}")
    for row in of("js_latency"):
        print(f"  {row['length']:>4} tokens, JavaScript, {row['engine']} {row['dtype']}: "
              f"{row['microseconds_p50']} / {row['microseconds_p99']}")

    print("\nproducts (TFLOP/s):")
    for row in of("gemm"):
        print(f"  {row['name']:<17} {row['rows']:>6} rows  {row['tile']:<6} {row['microseconds']:>9.1f} µs {row['teraflops']:>7.1f}")

    for length in (16, 64, 128, 512):
        rows = of("kernel", length=length)
        if not rows:
            continue
        total = sum(row["microseconds_each"] * row["calls"] for row in rows)
        print(f"\nkernels at length {length}: {total:.0f} µs for {rows[0]['tokens']:.0f} tokens")
        for row in sorted(rows, key=lambda r: -r["microseconds_each"] * r["calls"]):
            floor = max(row["memory_floor_microseconds"],
                        row["teraflops"] * row["microseconds_each"] / matrix if matrix else 0)
            print(f"  {row['name']:<17} {row['microseconds_each'] * row['calls'] / total:>6.1%}  {row['calls']:>3.0f} × "
                  f"{row['microseconds_each']:>8.1f} µs  floor {floor:>7.1f} µs  {row['gigabytes_per_second']:>6.0f} GB/s "
                  f"{row['teraflops']:>6.1f} TFLOP/s")

    print()
    for verdict in verdicts:
        verdict["met"] = verdict["value"] >= verdict["wanted"]
        print(f"{'met   ' if verdict['met'] else 'MISSED'} {verdict['what']}: {verdict['value']:.4g} of {verdict['wanted']}")
    with open(os.path.join(folder, "summary.json"), "w", encoding="utf-8") as file:
        json.dump({"verdicts": verdicts, "figures": figures}, file, indent=1)
    return 0


if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or ["help"]
    commands = {"reference": reference, "summary": summary}
    if command not in commands:
        sys.exit(__doc__)
    sys.exit(commands[command](*arguments))
