"""The warm predict function, its line of log and metrics included, whenever the parent asks."""

from event import take_turns
from lampyris.handlers.predict import handler

take_turns(handler)
