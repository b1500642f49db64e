"""Zhuji from Python: what the commands do, typed. Nothing heavy is imported before it is used."""

from zhuji.api.foundation import Foundation as Foundation
from zhuji.api.foundation import pretrain as pretrain
from zhuji.api.runs import Handle as Handle
from zhuji.api.runs import Result as Result
from zhuji.api.runs import check as check
from zhuji.api.runs import compare as compare
from zhuji.api.runs import doctor as doctor
from zhuji.api.runs import evaluate as evaluate
from zhuji.api.runs import load as load
from zhuji.api.runs import next_commands as next_commands
from zhuji.api.runs import planned as planned
from zhuji.api.runs import predict as predict
from zhuji.api.runs import recipe_text as recipe_text
from zhuji.api.runs import recipes as recipes
from zhuji.api.runs import report as report
from zhuji.api.runs import resume as resume
from zhuji.api.runs import schema as schema
from zhuji.api.runs import train as train
