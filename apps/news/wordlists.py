"""Words that tell nothing: those that any question or headline may have, and the legal forms behind names of companies."""

from __future__ import annotations

import re

_COMMON = """
a about above after against all an and any are as at be been before below between but by can close could day does down
during each end ever first for from get had has have he her his hit how i if in into is it its last less market may
many month more most much new next no not of off on one open or our out over own price question reach resolve said
same say second she should since so some than that the their them then there they this three through time to today
tonight two under until up us versus very vs was we week were what when where which while who will with within would
year yes yet you your
jan january feb february mar march apr april june jul july aug august sep sept september oct october nov november
dec december
"""
_LEGAL = "inc corp corporation co company ltd limited plc ag sa nv se group holding holdings class etf trust index"

COMMON = frozenset(re.findall(r"\w+", _COMMON))
LEGAL = frozenset(re.findall(r"\w+", _LEGAL))
