"""Venues by name. Paper is the only one."""

from apps.trading.venues.base import Venue
from apps.trading.venues.paper import PaperVenue

PAPER = "paper"
VENUES: dict[str, Venue] = {PAPER: PaperVenue()}
