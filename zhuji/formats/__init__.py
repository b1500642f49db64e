"""What a finished model can be written as, one file each, found by its name; whatever is opened comes through one door."""

from zhuji.formats._shelf import find as find
from zhuji.formats._shelf import names as names
from zhuji.formats._shelf import open_model as open_model
