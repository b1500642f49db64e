"""Models in the folders that Hugging Face `transformers` and `sentence-transformers` read and write."""

from zhuji.model.huggingface.fetching import fetch as fetch
from zhuji.model.huggingface.reading import looks_like as looks_like
from zhuji.model.huggingface.reading import read as read
from zhuji.model.huggingface.reading import reads as reads
from zhuji.model.huggingface.writing import write as write
