import io

from PIL import Image

from zhuji.core.records import Picture
from zhuji.data.alike import cluster_of, exact_key, similarity
from zhuji.data.marks import marked


def test_texts_words_and_pictures_are_each_compared_in_their_way() -> None:
    assert cluster_of(["The  cat", "the cat", "a dog"], 0.8, 0).tolist() == [0, 0, 1]
    assert cluster_of([("The", "cat"), ("the", "cat"), ("a", "dog")], 0.8, 0).tolist() == [0, 0, 1]
    assert exact_key("The  cat") == exact_key(("the", "cat"))
    file = io.BytesIO()
    Image.linear_gradient("L").save(file, "PNG")
    one = marked(Picture(data=file.getvalue()))[0]
    assert cluster_of([one, one], 0.8, 0).tolist() == [0, 0]
    assert exact_key(one) == exact_key(one) and similarity([one, one], [0], [1]).tolist() == [1.0]
    assert similarity(["same text here", "same text here"], [0], [1]).tolist() == [1.0]
    assert cluster_of([], 0.8, 0).tolist() == []
