import pickle

from zhuji.core.unreadable import BadPicture, BadSound, HugePicture, HugeSound, MediumError


def test_the_cause_travels_with_the_error() -> None:
    for error in (
        BadPicture(cause="not a picture", file="a.png", why="not a picture"),
        HugePicture(cause="too many pixels", limit="9", value=10),
        BadSound(cause="not a sound", file="a.wav", why="not a sound"),
        HugeSound(cause="sound too long", limit="9 h", value="10 h"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and isinstance(again, MediumError)
        assert (again.cause, str(again), again.file, again.exit_code) == (error.cause, str(error), error.file, 3)
