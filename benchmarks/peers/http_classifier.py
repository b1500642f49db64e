"""What one would write without Zhuji: a Hugging Face folder behind FastAPI.

    python http_classifier.py FOLDER --kind pipeline|torch|torch-bf16 --port N

pipeline: the `transformers` pipeline, a call a request. torch: tokenizer and model by hand, torch-bf16 with its weights in
bfloat16. All answer in FastAPI's pool of threads, as its documentation has it for work that blocks. `POST /predict {"input": text}` -> `{"answer", "score"}`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline


class Question(BaseModel):
    input: str


class Answer(BaseModel):
    answer: str
    score: float


def by_pipeline(folder: str) -> Callable[[str], Answer]:
    classify = pipeline("text-classification", model=folder, device="cpu", truncation=True)

    def answer(text: str) -> Answer:
        found = classify(text)[0]
        return Answer(answer=found["label"], score=found["score"])

    return answer


def by_hand(folder: str, kind: torch.dtype = torch.float32) -> Callable[[str], Answer]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=kind).eval()

    def answer(text: str) -> Answer:
        with torch.inference_mode():
            inputs = tokenizer(text, return_tensors="pt", truncation=True)
            likely = model(**inputs).logits[0].float().softmax(-1)
        score, place = likely.max(-1)
        return Answer(answer=model.config.id2label[int(place)], score=float(score))

    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--kind", choices=("pipeline", "torch", "torch-bf16"), required=True)
    parser.add_argument("--port", type=int, required=True)
    asked = parser.parse_args()
    kind = torch.bfloat16 if asked.kind == "torch-bf16" else torch.float32
    answer = by_pipeline(asked.folder) if asked.kind == "pipeline" else by_hand(asked.folder, kind)
    app = FastAPI()

    @app.post("/predict")
    def predict(question: Question) -> Answer:
        return answer(question.input)

    @app.get("/health/ready")
    def ready() -> dict[str, bool]:
        return {"ready": True}

    uvicorn.run(app, host="127.0.0.1", port=asked.port, log_level="warning")


if __name__ == "__main__":
    main()
